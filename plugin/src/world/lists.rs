//! Lists in pages, of objects that are decoded one by one, so that one bad object never stops the rest.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::cluster::Cluster;

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: PageMeta,
    #[serde(default)]
    items: Option<Vec<Box<RawValue>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PageMeta {
    #[serde(rename = "continue")]
    token: Option<String>,
}

/// How many objects are asked for at once, as kubectl does.
const PAGE: u32 = 500;

/// All objects at this path, each decoded, or the reason why it could not be.
pub(crate) async fn list<T: DeserializeOwned>(
    cluster: &Cluster,
    path: &str,
) -> Result<Vec<Result<T, serde_json::Error>>, kube::Error> {
    let mut objects = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let next = token.map(|token| format!("&continue={}", escaped(&token))).unwrap_or_default();
        let and = if path.contains('?') { '&' } else { '?' };
        let request = http::Request::get(format!("{path}{and}limit={PAGE}{next}")).body(Vec::new());
        let page: Page = cluster.client.request(request.map_err(kube::Error::HttpError)?).await?;
        let items = page.items.unwrap_or_default();
        objects.extend(items.iter().map(|raw| serde_json::from_str(raw.get())));
        token = page.metadata.token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(objects);
        }
    }
}

/// Tokens are base64 for URLs today; what they are tomorrow is the server's business.
fn escaped(token: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    token
        .bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
