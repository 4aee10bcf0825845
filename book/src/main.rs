fn main() {
    let course = book::course::Course::here().unwrap();
    match book::pages::check(&course) {
        Ok(r) => println!("{r}\n{:?}\n{:?}", r.unexplained, r.over_budget),
        Err(p) => p.iter().for_each(|p| println!("{p}")),
    }
}
