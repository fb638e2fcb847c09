//! Gets a page over TLS from a server whose certificate one of the given
//! authorities has signed, and prints it.
//!
//! The name is what the certificate is checked against and what the policy
//! grants; where it leads is the host's affair. The authorities come from a file,
//! since a sandbox has no trust store.
//!
//! `portcullis run --dir certificates --policy examples/https/client.toml https-client.wasm certificates/ca.pem web.internal:8443 /`

use std::env;
use std::io::{self, BufReader, Write};
use std::sync::Arc;

use portcullis_examples::http::Response;
use portcullis_guest::TcpStream;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

fn main() -> io::Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [authorities, server, target] = arguments.as_slice() else {
        return Err(io::Error::other(
            "usage: https-client CA.pem HOST:PORT PATH",
        ));
    };
    let (host, _port) = server
        .rsplit_once(':')
        .ok_or_else(|| io::Error::other("give the server as HOST:PORT"))?;
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;

    let config = Arc::new(trusting(authorities)?);
    let tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
    let mut server = BufReader::new(StreamOwned::new(tls, TcpStream::connect(server)?));
    let response = Response::get(&mut server, host, target)?;
    println!("{} {}", response.status, response.reason);
    io::copy(&mut response.body(&mut server), &mut io::stdout())?;
    io::stdout().flush()
}

/// What every connection needs: whom to trust, and how to encrypt. The provider
/// is the one that is written in Rust alone; the others compile C or assembly,
/// for which few machines have a compiler to WebAssembly.
fn trusting(authorities: &str) -> io::Result<ClientConfig> {
    let mut trusted = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(authorities).map_err(io::Error::other)? {
        let certificate = certificate.map_err(io::Error::other)?;
        trusted.add(certificate).map_err(io::Error::other)?;
    }
    let provider = Arc::new(rustls_rustcrypto::provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(trusted)
        .with_no_client_auth())
}
