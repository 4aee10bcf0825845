use std::fmt;

/// What a program is in a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It makes the socket.
    Server,
    /// It connects to it.
    Client,
}

/// The programs that are examined: how each is started, the program first,
/// then the arguments that come before those of the contract.
///
/// They are started in a folder of the exam's own, so paths in them must be
/// absolute.
#[derive(Debug, Clone, Default)]
pub struct Programs {
    pub server: Option<Vec<String>>,
    pub client: Option<Vec<String>>,
}

impl Programs {
    /// How the program in this role is started, if there is one.
    pub fn get(&self, role: Role) -> Option<&[String]> {
        match role {
            Role::Server => self.server.as_deref(),
            Role::Client => self.client.as_deref(),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Role::Server => "server",
            Role::Client => "client",
        })
    }
}
