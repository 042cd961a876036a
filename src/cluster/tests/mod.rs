//! The cluster module against a scripted API server, with the clock paused.

mod act;
mod condition;
mod notice;
mod preempt;
mod volumes;
mod watch;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use edge_core::model::PodUid;
use edge_core::state::{Event, PodRef};
use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower::service_fn;

use super::Actor;
use crate::clock::Clock;
use crate::lease::Tenure;

/// A request that came in.
#[derive(Clone, Debug)]
struct Asked {
    /// Such as `POST /api/v1/namespaces/default/pods/web/binding?`.
    line: String,
    body: Value,
}

/// What the server does with a request.
enum Answer {
    /// Answers with this status and body.
    Say(u16, String),
    /// The same after a while.
    SayAfter(Duration, u16, String),
    /// Breaks the connection.
    Break,
    /// Never answers.
    Hang,
    /// A defect in what handles it.
    Panic,
}

/// A server that answers as scripted, and remembers what it was asked.
#[derive(Clone, Default)]
struct Server {
    asked: Arc<Mutex<Vec<Asked>>>,
}

// === impl Server ===

impl Server {
    /// A client of a server that does what `script` says for each request; `script` is given the request
    /// and how many came before it.
    fn start(script: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static) -> (Self, kube::Client) {
        let server = Self::default();
        let asked = Arc::clone(&server.asked);
        let script = Arc::new(script);
        let service = service_fn(move |request: Request<Body>| {
            let (asked, script) = (Arc::clone(&asked), Arc::clone(&script));
            async move {
                let line = format!("{} {}", request.method(), request.uri());
                let bytes = request.into_body().collect_bytes().await.unwrap();
                let request = Asked { line, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) };
                let before = asked.lock().unwrap().len();
                asked.lock().unwrap().push(request.clone());
                match script(&request, before) {
                    Answer::Say(status, body) => Ok(respond(status, body)),
                    Answer::SayAfter(pause, status, body) => {
                        tokio::time::sleep(pause).await;
                        Ok(respond(status, body))
                    }
                    Answer::Break => Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)),
                    Answer::Hang => std::future::pending().await,
                    Answer::Panic => panic!("a defect put in by the test"),
                }
            }
        });
        (server, kube::Client::new(service, "default"))
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

/// An actor that needs no lease.
fn actor(client: kube::Client, events: mpsc::Sender<Event>) -> Actor {
    Actor::new(client.into(), Tenure::always(), Clock::start(), events, None)
}

fn respond(status: u16, body: String) -> Response<Body> {
    Response::builder().status(status).body(Body::from(body.into_bytes())).unwrap()
}

/// A failure as the API server words it.
fn failure(code: u16, message: &str) -> Answer {
    Answer::Say(
        code,
        json!({"kind": "Status", "status": "Failure", "code": code, "message": message}).to_string(),
    )
}

fn success() -> Answer {
    Answer::Say(201, json!({"kind": "Status", "status": "Success", "code": 201}).to_string())
}

fn web() -> PodRef {
    PodRef { key: edge_core::model::PodKey::new("shop", "web"), uid: PodUid::from("uid-1") }
}
