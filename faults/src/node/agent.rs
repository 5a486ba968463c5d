//! `loopdrill node …`: the side that runs on the node. JSON on standard input, one JSON document on standard
//! output. Meant for the harness, not for people.
//!
//! | command | input | does |
//! |---|---|---|
//! | `snapshot` | steps | reads what their undo will need |
//! | `locate` | a query | finds devices, groups, disks |
//! | `start ID` | a held change | writes the state file, hands the change to the service manager, waits until it is in force |
//! | `read`, `compare` | a held change | what is in force; what differs from the snapshot |
//! | `undo ID` | a held change | ends it, restores, verifies |
//! | `beat ID` | a byte a second | passes the harness's heartbeat on; the end of input ends the change |
//! | `hold ID`, `restore ID` | – | run by the service manager only |

use super::{
    error::{AgentReply, StepError},
    held::Held,
    hold, locate,
    step::{Planned, Step},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{io::Read, process::ExitCode};

/// Entry point of `loopdrill node`; `args` without the dispatching word.
#[must_use]
pub fn main(args: &[String]) -> ExitCode {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["snapshot"] => reply(input().and_then(|steps: Vec<Step>| {
            steps.into_iter().map(Step::plan).collect::<Result<Vec<Planned>, _>>()
        })),
        ["locate"] => reply(input().and_then(locate::find)),
        ["start", id] => reply(input().and_then(|held| hold::start(id, &held))),
        ["read"] => reply(input().and_then(|held: Held| held.read())),
        ["compare"] => reply(input().and_then(|held: Held| held.differences())),
        ["undo", id] => reply(input().and_then(|held| hold::undo(id, &held))),
        ["beat", id] => service(hold::beat(id)),
        ["hold", id] => service(hold::hold(id)),
        ["restore", id] => service(hold::restore(id)),
        _ => {
            eprintln!("loopdrill node: started by the harness only; see `loopdrill --help`");
            ExitCode::from(2)
        }
    }
}

fn input<T: DeserializeOwned>() -> Result<T, StepError> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(StepError::io("standard input"))?;
    serde_json::from_str(&text)
        .map_err(|e| StepError::Unfit(format!("the harness's question is not understood: {e}")))
}

fn reply<T: Serialize>(result: Result<T, StepError>) -> ExitCode {
    let code = if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    let text = serde_json::to_string(&AgentReply::from(result)).expect("plain data serialises");
    println!("{text}");
    code
}

fn service(result: Result<(), StepError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loopdrill node: {error}");
            ExitCode::FAILURE
        }
    }
}
