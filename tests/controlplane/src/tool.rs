//! The programs: from `KUBEBUILDER_ASSETS`, or built from the pinned Go modules in `tools/`.

use crate::{
    cache::Cache,
    component::Component,
    error::{Context, Error, tail},
    sources::{self, END_TO_END_TESTS, HELM, KUBECTL, PROMLINT, Source},
};
use std::{
    env,
    fmt::Write as _,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The file beside KWOK's program that says what it does with nodes and pods.
pub(crate) const STAGES: &str = "stages.yaml";

/// Where KWOK's module keeps the stages we use.
const STAGE_FOLDERS: [&str; 3] = ["node/fast", "node/heartbeat-with-lease", "pod/fast"];

/// How a program is built.
struct Recipe {
    source: Source,
    /// The folder of the Go module that pins it.
    folder: PathBuf,
    version: String,
    ldflags: String,
    /// Of everything that decides what the build gives.
    hash: u64,
}

/// Builds every program that is not yet in the cache, for CI to do ahead of the tests.
pub fn build_all() -> Result<Vec<PathBuf>, Error> {
    let components = Component::ALL.into_iter().map(program);
    components.chain(sources::of_nodes().map(get)).collect()
}

/// A component's program; the first time it is built.
pub(crate) fn program(component: Component) -> Result<PathBuf, Error> {
    if let Some(program) = from_assets(component.name()) {
        return Ok(program);
    }
    get(sources::of(component))
}

/// A program out of the cache; the first time it is built.
pub(crate) fn get(source: Source) -> Result<PathBuf, Error> {
    Recipe::pinned(source)?.get()
}

/// Kubernetes' own end-to-end tests, of the control plane's version; the first time they are built.
pub fn end_to_end_tests() -> Result<PathBuf, Error> {
    get(END_TO_END_TESTS)
}

/// Helm; the first time it is built.
pub fn helm() -> Result<PathBuf, Error> {
    get(HELM)
}

/// Prometheus' own rules for metrics, as a filter; the first time it is built.
pub fn promlint() -> Result<PathBuf, Error> {
    get(PROMLINT)
}

/// kubectl of the control plane's version; the first time it is built.
pub fn kubectl() -> Result<PathBuf, Error> {
    from_assets(KUBECTL.name).map_or_else(|| get(KUBECTL), Ok)
}

/// A program from the folder that other Kubernetes projects' tests use too. KWOK is never in there.
pub(crate) fn from_assets(name: &str) -> Option<PathBuf> {
    let program = PathBuf::from(env::var_os("KUBEBUILDER_ASSETS")?).join(name);
    program.is_file().then_some(program)
}

/// Talk goes to standard error, and whether anybody listens does not matter.
fn say(words: &str) {
    let _ = writeln!(io::stderr(), "controlplane: {words}");
}

/// FNV-1a, which unlike the standard library's hasher is the same in every version of Rust.
fn hash(texts: &[&str]) -> u64 {
    let bytes = texts.iter().flat_map(|text| text.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The version of a module that a go.mod requires.
fn required_version(go_mod: &str, module: &str) -> Option<String> {
    let words = go_mod.lines().map(|line| line.trim().trim_start_matches("require ").split_whitespace());
    words
        .into_iter()
        .find_map(|mut words| (words.next() == Some(module)).then(|| words.next())?.map(str::to_owned))
}

// === impl Recipe ===

impl Recipe {
    /// In the version that the source's Go module requires.
    fn pinned(source: Source) -> Result<Self, Error> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools").join(source.folder);
        let read = |name: &str| {
            let file = folder.join(name);
            fs::read_to_string(&file).context(|| file.display().to_string())
        };
        let go_mod = read("go.mod")?;
        let (version, rest) = if let Some(module) = source.module {
            let missing = || Error::Invalid(format!("{}/go.mod does not require {module}", folder.display()));
            (required_version(&go_mod, module).ok_or_else(missing)?, read("go.sum")?)
        } else {
            ("own".to_owned(), read("main.go")?)
        };
        let ldflags = ldflags(source.module, &version);
        let mut parts = vec![go_mod.as_str(), rest.as_str(), ldflags.as_str(), source.package];
        if !source.tags.is_empty() {
            parts.push(source.tags);
        }
        let hash = hash(&parts);
        Ok(Self { source, folder, version, ldflags, hash })
    }

    /// Its name in the cache.
    fn entry(&self) -> String {
        format!("{}-{}-{:016x}", self.source.name, self.version, self.hash)
    }

    /// The program, out of the cache.
    fn get(&self) -> Result<PathBuf, Error> {
        let name = self.source.name;
        let waiting = || say(&format!("waiting for another process that builds, to have {name}"));
        let folder = Cache::from_env()?.get(&self.entry(), waiting, |folder| self.make(folder))?;
        Ok(folder.join(name))
    }

    /// Builds the program, and what it needs beside it, into `folder`.
    fn make(&self, folder: &Path) -> Result<(), Error> {
        let Source { name, package, tags, .. } = self.source;
        let verb: &[&str] = if name == END_TO_END_TESTS.name { &["test", "-c"] } else { &["build"] };
        let mut go = self.go();
        go.args(verb).args(["-trimpath", "-ldflags", &self.ldflags, "-o"]);
        go.arg(folder.join(name)).arg(package);
        go.env("GOFLAGS", format!("-buildvcs=false -tags={tags}"));
        self.build(go, &folder.join("build.log"))?;
        if name == Component::Kwok.name() { self.write_stages(&folder.join(STAGES)) } else { Ok(()) }
    }

    /// Go in the tool's module, as if nobody had configured anything that changes what comes out.
    fn go(&self) -> Command {
        let mut go = Command::new("go");
        go.current_dir(&self.folder).env("CGO_ENABLED", "0").env("GOWORK", "off").stdin(Stdio::null());
        go
    }

    /// Runs the compiler and says from time to time that it still does.
    fn build(&self, mut go: Command, log: &Path) -> Result<(), Error> {
        const PERIOD: Duration = Duration::from_secs(15);
        let (began, mut said) = (Instant::now(), Duration::ZERO);
        let what = format!("{} {}", self.source.name, self.version);
        say(&format!("building {what}, first time only"));
        let output = File::create(log).context(|| log.display().to_string())?;
        let mut go = go.stdout(Stdio::null()).stderr(output).spawn().map_err(no_go)?;
        let status = loop {
            if let Some(status) = go.try_wait().context(|| "waiting for go build".to_owned())? {
                break status;
            }
            thread::sleep(Duration::from_millis(50));
            if began.elapsed() >= said + PERIOD {
                said = began.elapsed();
                say(&format!("building {what}, first time only: {} s so far", said.as_secs()));
            }
        };
        if !status.success() {
            return Err(Error::Build { tool: what, output: tail(log) });
        }
        say(&format!("built {what} in {} s", began.elapsed().as_secs()));
        Ok(())
    }

    /// Takes KWOK's own stages out of the module cache, while they are there for certain.
    fn write_stages(&self, file: &Path) -> Result<(), Error> {
        let output =
            self.go().args(["list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok"]).output().map_err(no_go)?;
        if !output.status.success() {
            let output = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Error::Build { tool: "KWOK's stages".to_owned(), output });
        }
        let module = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()).join("kustomize/stage");
        let mut stages = String::new();
        for folder in STAGE_FOLDERS {
            append_stages(&module.join(folder), &mut stages)
                .context(|| module.join(folder).display().to_string())?;
        }
        fs::write(file, stages).context(|| file.display().to_string())
    }
}

/// The versions that Kubernetes reports of itself are set when linking; the others need none.
fn ldflags(module: Option<&str>, version: &str) -> String {
    let mut flags = "-s -w".to_owned();
    if module != Some("k8s.io/kubernetes") {
        return flags;
    }
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    for (name, value) in [("gitVersion", version), ("gitMajor", major), ("gitMinor", minor)] {
        // Writing to a string cannot fail.
        let _ = write!(flags, " -X k8s.io/component-base/version.{name}={value}");
    }
    flags
}

fn append_stages(folder: &Path, stages: &mut String) -> io::Result<()> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    files.sort();
    let is_stage = |file: &PathBuf| {
        file.extension().is_some_and(|extension| extension == "yaml") && !file.ends_with("kustomization.yaml")
    };
    for file in files.into_iter().filter(is_stage) {
        *stages += &fs::read_to_string(file)?;
        *stages += "\n---\n";
    }
    Ok(())
}

fn no_go(source: io::Error) -> Error {
    Error::Install { program: "go".to_owned(), hint: "the control plane is built from Go modules", source }
}
