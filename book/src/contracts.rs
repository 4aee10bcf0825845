//! What programs must do, as the pages print it: from the contracts that
//! `cargo book check` examines them by.

use contract::{Contract, Role};

use crate::course::Course;
use crate::exercise::Exercise;

/// The contract of the step with this stem: Markdown in a box that opens.
///
/// # Errors
///
/// That there is no such step, or it has no contract.
pub fn of_step(course: &Course, stem: &str) -> Result<String, String> {
    let step = course.step(stem).ok_or_else(|| {
        format!("there is no step {stem} that could have a contract")
    })?;
    let contract = contract::find(stem).ok_or_else(|| {
        format!("no contract in tests/contract is for {stem}")
    })?;
    let number = step.number;
    let summary = format!("The contract of step {number}");
    let commands = format!(
        "`cargo book check {number} --server \"./mine\"` examines a program of \
         yours, in whatever language it is written."
    );
    Ok(details(&format!("contract-{number}"), &summary, contract, &commands))
}

/// The contract of an exercise: Markdown in a box that opens.
pub fn of_exercise(exercise: &Exercise) -> String {
    let number = exercise.number();
    let summary = format!("{number} What is checked");
    let commands = format!(
        "`cargo book start {number}` gives you something to begin with in \
         `work/{name}`, `cargo book check {number}` examines it, and `cargo \
         book hint {number}` helps.",
        name = exercise.name
    );
    let id = format!("exercise-{}", exercise.name);
    details(&id, &summary, exercise.contract(), &commands)
}

fn details(
    id: &str,
    summary: &str,
    contract: &Contract,
    commands: &str,
) -> String {
    let mut text = format!(
        "<details class=\"contract\" id=\"{id}\" data-name=\"{}\">\
         <summary>{summary}</summary>\n\n{}\n\n",
        contract.id, contract.setting
    );
    for promise in contract.promises {
        text += &format!("- {}\n", promise.says);
    }
    text + &format!("\n{commands}\n\n</details>")
}

/// Which of its programs a contract asks for.
pub fn roles(contract: &Contract) -> Vec<Role> {
    [Role::Server, Role::Client]
        .into_iter()
        .filter(|role| {
            contract.promises.iter().any(|promise| promise.takes.contains(role))
        })
        .collect()
}
