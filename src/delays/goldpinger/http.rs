//! One HTTP request on one connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use http::header::HOST;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// No answer of use is longer: 300 instances tell 18 MB.
const LONGEST: usize = 64 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// It took too long.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// There is no connection.
    #[error("no connection: {0}")]
    Connect(#[source] io::Error),
    /// The exchange broke off.
    #[error("the exchange broke off: {0}")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It would not say.
    #[error("answered {0}")]
    Status(StatusCode),
    /// It said something else.
    #[error("the answer can't be read: {0}")]
    Malformed(#[source] serde_json::Error),
}

/// Asks for a page.
pub(super) async fn get(address: SocketAddr, path: &str, within: Duration) -> Result<Bytes, FetchError> {
    match timeout(within, ask(address, path)).await {
        Ok(answer) => answer,
        Err(_) => Err(FetchError::Late(within)),
    }
}

async fn ask(address: SocketAddr, path: &str) -> Result<Bytes, FetchError> {
    let stream = TcpStream::connect(address).await.map_err(FetchError::Connect)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let request =
        Request::get(path).header(HOST, address.to_string()).body(Empty::<Bytes>::new()).map_err(broken)?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(broken)?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status(answer.status()));
        }
        let body = Limited::new(answer.into_body(), LONGEST).collect().await.map_err(FetchError::Broken)?;
        Ok(body.to_bytes())
    };
    tokio::pin!(connection, exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        // The connection may be through before the last of the body was taken.
        ended = &mut connection => match ended {
            Ok(()) => exchange.await,
            Err(error) => Err(broken(error)),
        },
    }
}

fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> FetchError {
    FetchError::Broken(error.into())
}
