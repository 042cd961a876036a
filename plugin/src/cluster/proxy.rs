//! Whether there is a proxy on the way to the server (Go: `httpproxy.FromEnvironment`).

use std::env;
use std::net::IpAddr;

use http::Uri;

use crate::failure::Failure;

/// The proxy: that of the kubeconfig, else that of the environment, unless it is not meant for this server.
pub(super) fn on_the_way(configured: Option<&str>, server: &Uri) -> Result<Option<Uri>, Failure> {
    let ambient = || {
        let scheme = server.scheme_str().unwrap_or("https");
        of_environment(&format!("{scheme}_proxy")).filter(|_| is_meant(server))
    };
    let configured = configured.filter(|it| !it.is_empty()).map(str::to_owned);
    let Some(text) = configured.or_else(ambient) else { return Ok(None) };
    let url = if text.contains("://") { text.clone() } else { format!("http://{text}") };
    let url: Option<Uri> = url.replacen("socks5h://", "socks5://", 1).parse().ok();
    match url {
        Some(url) => Ok(Some(url)),
        None => Err(Failure::new(format!("proxy {text:?} is no URL"))
            .with_hint("proxy-url of the kubeconfig, or HTTPS_PROXY")),
    }
}

/// Upper case goes first.
fn of_environment(name: &str) -> Option<String> {
    [name.to_uppercase(), name.to_owned()]
        .iter()
        .find_map(|name| env::var(name).ok().filter(|it| !it.is_empty()))
}

fn is_meant(server: &Uri) -> bool {
    let Some(host) = server.host() else { return false };
    let port = server.port_u16().unwrap_or(if server.scheme_str() == Some("http") { 80 } else { 443 });
    is_proxied(
        host.trim_start_matches('[').trim_end_matches(']'),
        port,
        &of_environment("no_proxy").unwrap_or_default(),
    )
}

/// Whether the host is reached through a proxy, by what `NO_PROXY` says. This machine never is.
fn is_proxied(host: &str, port: u16, no_proxy: &str) -> bool {
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|it| it.is_loopback()) {
        return false;
    }
    !no_proxy.split(',').map(str::trim).any(|rule| is_excepted(rule, host, address, port))
}

fn is_excepted(rule: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    if rule == "*" {
        return true;
    }
    if let Some((net, bits)) = rule.split_once('/') {
        let net: Option<IpAddr> = net.parse().ok();
        return match (net, bits.parse().ok(), address) {
            (Some(net), Some(bits), Some(address)) => is_within(net, bits, address),
            _ => false,
        };
    }
    if let Ok(excepted) = rule.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Some(excepted) == address;
    }
    let (rule, wanted) = match rule.rsplit_once(':') {
        Some((rule, wanted)) => (rule, wanted.parse().ok()),
        None => (rule, None),
    };
    if wanted.is_some_and(|wanted: u16| wanted != port) || rule.is_empty() {
        return false;
    }
    let (host, rule) = (host.to_lowercase(), rule.trim_start_matches('*').to_lowercase());
    match rule.strip_prefix('.') {
        Some(_) => host.ends_with(&rule),
        None => host == rule || host.ends_with(&format!(".{rule}")),
    }
}

fn is_within(net: IpAddr, bits: u32, address: IpAddr) -> bool {
    match (net, address) {
        (IpAddr::V4(net), IpAddr::V4(address)) => {
            let shift = 32u32.saturating_sub(bits);
            bits <= 32 && u64::from(net.to_bits()) >> shift == u64::from(address.to_bits()) >> shift
        }
        (IpAddr::V6(net), IpAddr::V6(address)) => {
            let same = (net.to_bits() ^ address.to_bits()).leading_zeros();
            bits <= 128 && same >= bits
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_names_hosts_domains_addresses_and_ranges() {
        let check = |no_proxy: &str, host: &str, expected: bool| {
            assert_eq!(is_proxied(host, 6443, no_proxy), expected, "{host} by {no_proxy:?}");
        };
        check("", "api.example.org", true);
        check("", "localhost", false);
        check("", "127.0.0.1", false);
        check("*", "api.example.org", false);
        check("example.org", "api.example.org", false);
        check("example.org", "example.org", false);
        check(".example.org", "example.org", true);
        check("example.org:6443", "api.example.org", false);
        check("example.org:443", "api.example.org", true);
        check("a, 10.0.0.0/8", "10.1.2.3", false);
        check("10.0.0.0/8", "11.1.2.3", true);
        check("10.0.0.1", "10.0.0.1", false);
        check("fd00::/8", "fd01::1", false);
        check("le.org", "example.org", true);
    }
}
