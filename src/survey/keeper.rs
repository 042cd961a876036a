//! The task that keeps the agents' key.

use std::fs::File;
use std::io::{self, Read};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use tracing::{debug, info, warn};

use super::rotation::{KEY_LEN, Key, Keys, Phase};
use crate::clock::Clock;
use crate::cluster::{KeyError, KeyStore};
use crate::lease::Tenure;

/// How often it is looked after; whoever asks for a new key waits so long at most.
const EVERY: Duration = Duration::from_secs(20);
/// How often one that doesn't lead looks whether it does.
const STANDBY: Duration = Duration::from_secs(1);

/// Looks after the key while this replica leads, as long as the process lives.
pub async fn keep(store: KeyStore, tenure: Tenure, clock: Clock) -> &'static str {
    let mut complaint = None;
    loop {
        if !tenure.holds(clock.now()) {
            tokio::time::sleep(STANDBY).await;
            continue;
        }
        match look_after(&store).await {
            Ok(()) => complaint = None,
            // Somebody was quicker; the next look tells.
            Err(KeyError::Conflict) => debug!("the Secret changed meanwhile"),
            Err(error) => {
                let text = error.to_string();
                if complaint.as_ref() != Some(&text) {
                    warn!(error = %text, "the key of the probe agents can't be looked after; they measure with what they have");
                }
                complaint = Some(text);
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn look_after(store: &KeyStore) -> Result<(), KeyError> {
    let now = Timestamp::now();
    let Some((keys, seen)) = store.read().await? else {
        store.create(&Keys::first(random()?, now)).await?;
        info!("made the key of the probe agents");
        return Ok(());
    };
    let fresh = random()?;
    let next = match keys {
        Some(keys) => keys.step(now, || fresh),
        // Agents can do nothing with what is there.
        None => Some(Keys::first(fresh, now)),
    };
    let Some(next) = next else { return Ok(()) };
    store.replace(seen, &next).await?;
    match next.phase {
        Phase::Spreading => {
            info!("a new key goes to the probe agents; they will send with it in some minutes");
        }
        Phase::Retiring => info!("the probe agents send with the new key"),
        Phase::Settled => info!("the probe agents accept one key"),
    }
    Ok(())
}

fn random() -> io::Result<Key> {
    let mut bytes = vec![0; KEY_LEN];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(Key(bytes))
}
