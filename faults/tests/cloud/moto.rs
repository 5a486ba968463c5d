//! A real moto on loopback, with an engine of its own to look at it, and a gate in front of it.

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{Response, StatusCode},
};
use hyper_util::rt::TokioIo;
use std::{
    fs,
    io::{self, BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};
use tokio::net::{TcpListener, TcpStream};

/// The moto of the lab, and what it needs.
const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../ci/node-image/python/requirements.txt");

/// A running moto. It is ended when dropped.
pub(crate) struct Moto {
    child: Child,
    python: PathBuf,
    pub(crate) address: SocketAddr,
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("{command:?}: {e}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

fn cache() -> PathBuf {
    let var = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    var("LOOPDRILL_CACHE")
        .or_else(|| var("XDG_CACHE_HOME").map(|d| d.join("loopdrill")))
        .or_else(|| var("HOME").map(|d| d.join(".cache/loopdrill")))
        .unwrap_or_else(std::env::temp_dir)
}

/// A Python that has moto, made once for these requirements and kept.
fn python() -> Result<PathBuf, String> {
    static ONE: Mutex<Option<Result<PathBuf, String>>> = Mutex::new(None);
    let mut one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    one.get_or_insert_with(|| {
        let wanted = fs::read_to_string(REQUIREMENTS).map_err(|e| format!("{REQUIREMENTS}: {e}"))?;
        let folder = cache().join("moto-of-tests");
        let (python, has) = (folder.join("bin/python"), folder.join("has.txt"));
        if fs::read_to_string(&has).is_ok_and(|h| h == wanted)
            && run(Command::new(&python).args(["-c", "import moto.server"])).is_ok()
        {
            return Ok(python);
        }
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        let install = ["-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", REQUIREMENTS];
        run(Command::new(&python).args(install))?;
        fs::write(&has, wanted).map_err(|e| format!("{}: {e}", has.display()))?;
        Ok(python)
    })
    .clone()
}

impl Moto {
    /// Starts one, or says what is missing: a skip, unless `LOOPDRILL_REQUIRE` asks for proof.
    pub(crate) fn start() -> Option<Self> {
        Self::start_as(|_| Vec::new())
    }

    /// One that speaks TLS, with a certificate for `127.0.0.1` that nobody but itself has signed: `tls.pem` in `folder`.
    pub(crate) fn start_with_tls(folder: &Path) -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cloud/certificate.py");
        Self::start_as(|python| {
            run(Command::new(python).arg(script).arg(folder)).expect("a certificate is made");
            let path = |name: &str| folder.join(name).to_str().expect("a plain path").to_owned();
            ["--ssl", "--ssl-cert", &path("tls.pem"), "--ssl-key", &path("tls.key")].map(str::to_owned).into()
        })
    }

    fn start_as(arguments: impl FnOnce(&Path) -> Vec<String>) -> Option<Self> {
        match python() {
            Ok(python) => {
                let arguments = arguments(&python);
                Some(Self::with(python, &arguments))
            }
            Err(why) if std::env::var_os("LOOPDRILL_REQUIRE").is_some() => panic!("moto is missing: {why}"),
            Err(why) => {
                eprintln!("skipped: needs python3 and moto: {why}");
                None
            }
        }
    }

    /// It takes a free port by itself, and says which: one that was free before may be another test's meanwhile.
    fn with(python: PathBuf, arguments: &[String]) -> Self {
        let mut child = Command::new(&python)
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("moto starts");
        let mut told = BufReader::new(child.stderr.take().expect("piped"));
        let mut text = String::new();
        let address = loop {
            let before = text.len();
            let read = told.read_line(&mut text).expect("text");
            assert!(read > 0, "moto does not listen:\n{text}");
            if let Some(address) = listens_on(&text[before..]) {
                break address;
            }
        };
        // What it says of each request is read to the end: it would wait for a reader.
        std::thread::spawn(move || io::copy(&mut told, &mut io::sink()));
        Self { child, python, address }
    }

    /// The independent client.
    pub(crate) fn iam(&self, args: &[&str]) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cloud/iam.py");
        let url = format!("http://{}", self.address);
        run(Command::new(&self.python).arg(script).arg(url).args(args)).expect("moto answers")
    }

    /// All of a role as the server sends it.
    pub(crate) fn dump(&self, role: &str) -> String {
        self.iam(&["dump", role])
    }
}

/// The address in a line such as ` * Running on http://127.0.0.1:5000`.
fn listens_on(line: &str) -> Option<SocketAddr> {
    let (_, url) = line.split_once("Running on ")?;
    let (_, address) = url.split_once("://")?;
    let is_part = |c: char| c.is_ascii_digit() || ".:".contains(c);
    address.split(|c| !is_part(c)).next()?.parse().ok()
}

/// What the gate does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    /// It is never answered.
    Hold,
    /// It is refused for being one too many.
    Throttle,
    /// It is not allowed.
    Deny,
}

type Judge = Box<dyn FnMut(&str) -> Verdict + Send>;

/// In front of moto: hears which actions are asked for, and decides about each.
pub(crate) struct Gate {
    pub(crate) address: SocketAddr,
    pub(crate) heard: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Shared {
    behind: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
    judge: Arc<Mutex<Judge>>,
}

impl Gate {
    pub(crate) async fn open(moto: &Moto, judge: impl FnMut(&str) -> Verdict + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let shared = Shared {
            behind: moto.address,
            heard: heard.clone(),
            judge: Arc::new(Mutex::new(Box::new(judge))),
        };
        let router = Router::new().fallback(pass).with_state(shared);
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("the gate serves") });
        Self { address, heard, task }
    }
}

async fn pass(State(gate): State<Shared>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("a small body");
    let text = String::from_utf8_lossy(&body).into_owned();
    let action = text.split('&').find_map(|f| f.strip_prefix("Action=")).unwrap_or_default().to_owned();
    gate.heard.lock().expect("not poisoned").push(action.clone());
    let verdict = (gate.judge.lock().expect("not poisoned"))(&action);
    match verdict {
        Verdict::Pass => forward(gate.behind, Request::from_parts(parts, Body::from(body))).await,
        Verdict::Hold => std::future::pending().await,
        Verdict::Throttle => error(StatusCode::BAD_REQUEST, "Throttling"),
        Verdict::Deny => error(StatusCode::FORBIDDEN, "AccessDenied"),
    }
}

fn error(status: StatusCode, code: &str) -> Response<Body> {
    let text = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error>\
         <RequestId>x</RequestId></ErrorResponse>"
    );
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

async fn forward(behind: SocketAddr, request: Request) -> Response<Body> {
    let stream = TcpStream::connect(behind).await.expect("moto listens");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("moto speaks HTTP");
    tokio::spawn(connection);
    let response = sender.send_request(request).await.expect("moto answers");
    let (parts, body) = response.into_parts();
    let body: Bytes = to_bytes(Body::new(body), 1 << 20).await.expect("a small answer");
    Response::from_parts(parts, Body::from(body))
}
