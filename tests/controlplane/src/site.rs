//! What stays the same while components come and go: folder, ports, keys, tokens, kubeconfigs.

use crate::{
    client::Client,
    component::Component,
    error::{Context, Error},
    kubeconfig::{Credential, Kubeconfig},
    options::{KubeScheduler, Options},
    pki::Pki,
    port::Port,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

/// The unchanging facts of one control plane.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) options: Options,
    pub(crate) folder: PathBuf,
    pub(crate) pki: Pki,
    /// The administrator's.
    pub(crate) kubeconfig: PathBuf,
    /// The API server's list of users.
    pub(crate) tokens: PathBuf,
    pub(crate) scheduler_config: PathBuf,
    /// As the administrator.
    pub(crate) client: Client,
    pub(crate) users: BTreeMap<String, Access>,
    /// Where real nodes reach the API server; without them it is on loopback.
    pub(crate) address: Option<Ipv4Addr>,
    ports: BTreeMap<Component, Port>,
}

/// How a user gets in.
#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) token: String,
    pub(crate) kubeconfig: PathBuf,
}

/// The administrator's name, who is in the group `system:masters`.
pub(crate) const ADMIN: &str = "admin";

// === impl Site ===

impl Site {
    /// Reserves the ports and writes all files into `folder`.
    pub(crate) fn create(options: Options, folder: &Path, address: Option<Ipv4Addr>) -> Result<Self, Error> {
        let pki = Pki::create(folder, address)?;
        let ports = reserve_ports()?;
        let url = url(address, &ports);
        let tokens = folder.join("tokens.csv");
        let users = write_users(&options, folder, &tokens, &url, &pki)?;
        let admin = users.get(ADMIN).ok_or_else(|| Error::Invalid("there is no administrator".to_owned()))?;
        let site = Self {
            kubeconfig: admin.kubeconfig.clone(),
            client: Client::new(url, admin.token.clone(), &pki.authority_der),
            scheduler_config: folder.join("kube-scheduler.yaml"),
            folder: folder.to_owned(),
            options,
            pki,
            tokens,
            users,
            address,
            ports,
        };
        site.write_scheduler_config()?;
        Ok(site)
    }

    /// The API server's address.
    pub(crate) fn url(&self) -> String {
        url(self.address, &self.ports)
    }

    /// etcd's address.
    pub(crate) fn etcd_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port(Component::Etcd))
    }

    /// The port on which a component listens; 0 for KWOK, which does not.
    pub(crate) fn port(&self, component: Component) -> u16 {
        self.ports.get(&component).map_or(0, Port::number)
    }

    /// A component's log.
    pub(crate) fn log(&self, component: Component) -> PathBuf {
        self.folder.join(format!("{component}.log"))
    }

    /// Once `--config` is given, kube-scheduler heeds no `--kubeconfig`, so the connection goes into the file.
    fn write_scheduler_config(&self) -> Result<(), Error> {
        let KubeScheduler::Config(text) = &self.options.kube_scheduler else { return Ok(()) };
        let mut config: Value = serde_yaml::from_str(text)
            .map_err(|error| Error::Invalid(format!("KubeSchedulerConfiguration: {error}")))?;
        let Some(fields) = config.as_object_mut() else {
            return Err(Error::Invalid("KubeSchedulerConfiguration is no mapping".to_owned()));
        };
        let connection = fields.entry("clientConnection").or_insert_with(|| json!({}));
        if let Some(connection) = connection.as_object_mut() {
            connection.insert("kubeconfig".to_owned(), json!(self.kubeconfig));
        }
        fs::write(&self.scheduler_config, config.to_string())
            .context(|| self.scheduler_config.display().to_string())
    }
}

fn reserve_ports() -> Result<BTreeMap<Component, Port>, Error> {
    let listening = Component::ALL.into_iter().filter(|component| *component != Component::Kwok);
    listening.map(|component| Ok((component, Port::reserve()?))).collect()
}

fn url(address: Option<Ipv4Addr>, ports: &BTreeMap<Component, Port>) -> String {
    let address = address.unwrap_or(Ipv4Addr::LOCALHOST);
    format!("https://{address}:{}", ports.get(&Component::ApiServer).map_or(0, Port::number))
}

fn write_users(
    options: &Options,
    folder: &Path,
    tokens: &Path,
    url: &str,
    pki: &Pki,
) -> Result<BTreeMap<String, Access>, Error> {
    let mut lines = Vec::new();
    let mut users = BTreeMap::new();
    let admin = (ADMIN.to_owned(), "system:masters".to_owned());
    let others = options.users.iter().map(|user| (user.name.clone(), user.groups.join(",")));
    for (name, groups) in std::iter::once(admin).chain(others) {
        let token = random_token()?;
        lines.push(format!("{token},\"{name}\",\"{name}\",\"{groups}\"\n"));
        let file =
            if name == ADMIN { "kubeconfig".to_owned() } else { format!("kubeconfig-{}", users.len()) };
        let kubeconfig = folder.join(file);
        let credential = Credential::Token(&token);
        Kubeconfig { url, authority: &pki.authority_pem, user: &name, credential }.write(&kubeconfig)?;
        users.insert(name, Access { token, kubeconfig });
    }
    fs::write(tokens, lines.concat()).context(|| tokens.display().to_string())?;
    Ok(users)
}

fn random_token() -> Result<String, Error> {
    let mut bytes = [0_u8; 16];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context(|| "/dev/urandom".to_owned())?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}
