//! Step 1: the server gives a listening socket a name, and ends.

use assert_cmd::cargo::cargo_bin;
use harness::{Exit, Sandbox};

#[test]
fn the_name_is_a_socket_and_it_stays() {
    let sandbox = Sandbox::new();
    let mut server = sandbox.start(cargo_bin!("step1-server"), &[]);
    server.expect("listening on mysocket");
    assert_eq!(server.expect_end(), Exit::Code(0));
    assert_eq!(sandbox.files(), ["mysocket"]);
}
