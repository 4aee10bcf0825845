//! `cargo book schedule`, from the timings of the real book.

use std::path::Path;
use std::process::Output;

use harness::DEADLINE;

/// Runs `cargo book schedule` in the real repository.
fn schedule(arguments: &[&str]) -> Output {
    assert_cmd::Command::cargo_bin("book")
        .unwrap()
        .arg("schedule")
        .args(arguments)
        .timeout(DEADLINE)
        .output()
        .unwrap()
}

#[track_caller]
fn prints(arguments: &[&str]) -> String {
    let output = schedule(arguments);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    String::from_utf8(output.stdout).unwrap()
}

/// Expects it to fail with this code, to print nothing, and to say this first.
#[track_caller]
fn fails(arguments: &[&str], code: i32, says: &str) {
    let output = schedule(arguments);
    let first = String::from_utf8_lossy(&output.stderr);
    assert_eq!(first.lines().next(), Some(says));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert_eq!(output.status.code(), Some(code));
}

#[test]
fn the_readme_shows_what_it_prints_for_two_hours() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let prompt = "```text\n$ cargo book schedule --length 2h\n";
    let (_, shown) = readme.split_once(prompt).expect("it shows none");
    let (shown, _) = shown.split_once("```\n").unwrap();
    assert_eq!(shown, prints(&["--length", "2h"]));
}

#[test]
fn begins_and_ends_when_it_should() {
    let agenda = prints(&["--start", "14:05", "--length", "1h35"]);
    let first = "1 h 35 min, 14:05 to 15:40: chapters 1 to 6\n\n14:05    5  W";
    assert!(agenda.starts_with(first), "{agenda}");
    assert!(agenda.contains("\n15:40       End\n"), "{agenda}");
    let night = prints(&["--start", "23:00", "--end", "00:30"]);
    assert!(night.starts_with("1 h 30 min, 23:00 to 00:30: "), "{night}");
    // Half a day from half past nine, if nothing is said.
    assert!(prints(&[]).starts_with("3 h, 09:30 to 12:30: chapters 1 to 6\n"));
}

#[test]
fn plans_what_is_left_for_a_teacher_who_is_late() {
    let late = ["--from", "4", "--start", "11:10"];
    let rest = prints(&[&late[..], &["--length", "50m"]].concat());
    assert_eq!(rest, prints(&[&late[..], &["--end", "12:00"]].concat()));
    let first = "50 min, 11:10 to 12:00: chapters 4 to 6\n\n11:10   15  4 W";
    assert!(rest.starts_with(first), "{rest}");
    assert!(!rest.contains("What is a Unix socket?"), "{rest}");
}

#[test]
fn says_what_is_wrong_and_gives_an_example() {
    fails(
        &["--length", "10"],
        1,
        "10 min is too short for anything: the shortest agenda takes 45 min, \
         as in `--length 45m`",
    );
    fails(
        &["--length", "44"],
        1,
        "44 min is too short for anything: the shortest agenda takes 45 min, \
         as in `--length 45m`",
    );
    fails(
        &["--length", "9h"],
        1,
        "9 h is too long for a day: the longest is 8 h; plan a second day \
         from where the first one ends, as in `--length 7h --from 8`",
    );
    fails(
        &["--length", "3h", "--from", "13"],
        1,
        "3 h is too long: there is enough to teach from chapter 13 on for 45 \
         min, as in `--length 45m`",
    );
    fails(
        &["--from", "99"],
        1,
        "there is no chapter 99: it is one of 1 to 13, as in `--from 4`",
    );
    fails(
        &["--start", "25:00"],
        2,
        "error: invalid value '25:00' for '--start <HH:MM>': this is no time \
         of day; write hours and minutes, as in `09:30`",
    );
    fails(
        &["--end", "12:30", "--length", "2h"],
        2,
        "error: the argument '--end <HH:MM>' cannot be used with '--length \
         <TIME>'",
    );
    fails(
        &["--length", "long"],
        2,
        "error: invalid value 'long' for '--length <TIME>': this is no \
         length of time; write hours, minutes or both, as in `3h`, `90m` or \
         `1h30`",
    );
}
