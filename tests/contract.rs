//! Each step keeps its contract: a test for every promise.
//!
//! This file belongs to all steps. The one that it is built for is known by
//! its folder.

use std::path::Path;
use std::process::ExitCode;

use contract::{Programs, Verdict};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let stem = folder.file_name().expect("a step has a folder");
    let contract = stem.to_str().and_then(contract::find);
    let contract = contract.expect("each step has a contract");
    let number = env!("CARGO_PKG_NAME");
    let trials = contract.promises.iter().map(|promise| {
        Trial::test(promise.id, move || {
            let programs = Programs {
                server: program(&format!("{number}-server")),
                client: program(&format!("{number}-client")),
            };
            match promise.examine(&programs, harness::DEADLINE) {
                Verdict::Kept => Ok(()),
                Verdict::Broken(flaw) => {
                    Err(Failed::from(format!("{}\n{flaw}", promise.says)))
                }
                Verdict::NotExamined(why) => Err(Failed::from(why)),
            }
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// A binary of this package: Cargo has built it before this test, and put it
/// one folder above.
fn program(name: &str) -> Option<Vec<String>> {
    let test = std::env::current_exe().expect("this test is a file");
    let file = test.parent()?.parent()?.join(name);
    let path = file.to_str().expect("a path that is UTF-8").to_owned();
    file.is_file().then(|| vec![path])
}
