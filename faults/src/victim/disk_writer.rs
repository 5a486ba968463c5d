//! A workload that lives from its volume: it appends a record and syncs it, for ever.
//!
//! Its first line says how many records were there already, so that whoever looks can tell whether the data
//! survived.

use super::{ready::Ready, workload::READY_PORT};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    path::Path,
    process::ExitCode,
    time::Duration,
};

const PAUSE: Duration = Duration::from_millis(200);

pub(crate) async fn write_forever(dir: String) -> ExitCode {
    match write(Path::new(&dir)).await {
        Ok(never) => match never {},
        Err(e) => {
            eprintln!("cannot write to {dir}: {e}");
            ExitCode::from(1)
        }
    }
}

async fn write(dir: &Path) -> io::Result<std::convert::Infallible> {
    let (mut file, mut records) = open(&dir.join("records"))?;
    println!("{}", first_line(records));
    let mut ready = None;
    loop {
        append(&mut file, records)?;
        records += 1;
        if ready.is_none() {
            ready = Some(Ready::open(READY_PORT).await?);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok((file, text.iter().filter(|b| **b == b'\n').count() as u64))
}

fn append(file: &mut File, record: u64) -> io::Result<()> {
    writeln!(file, "record {record}")?;
    file.sync_data()
}

fn first_line(records: u64) -> String {
    format!("found {records} records")
}

/// How many records a writer found when it started, read from its log.
pub fn records_found(log: &str) -> Option<u64> {
    log.lines().find_map(|l| l.strip_prefix("found ")?.strip_suffix(" records")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_life_finds_the_records_of_the_first() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("records");
        let (mut file, found) = open(&path).expect("new file");
        assert_eq!(found, 0);
        for record in 0..3 {
            append(&mut file, record).expect("append");
        }
        let (_, found) = open(&path).expect("old file");
        assert_eq!(found, 3);
        assert_eq!(records_found(&first_line(found)), Some(3));
        assert_eq!(records_found("what"), None);
    }
}
