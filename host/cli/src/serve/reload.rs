//! SIGHUP: the policy and the handler are read anew, while others are served.

use std::sync::Arc;

use portcullis::{AuditLog, Server};

use super::house::House;
use super::listening::Listening;
use super::systemd;
use crate::complaints::{say, say_error};

/// Opens the logs anew, and serves with what it reads anew; else says why not, and all is
/// as it was.
pub(crate) async fn reload(house: &Arc<House>, server: &Server, listening: &Listening) {
    systemd::reloading();
    let replaced = match house.check() {
        Ok(()) => {
            reopen(house);
            replace(house, server).await
        }
        Err(error) => Err(error),
    };
    house.watch.reloaded(replaced.is_ok());
    match replaced {
        Ok(()) => say("serves with what it read anew"),
        Err(error) => {
            say("cannot serve with what it read anew, and goes on as before");
            say_error(&error);
        }
    }
    systemd::ready(&listening.to_string());
}

/// Opens the logs anew: the operator may have renamed them.
fn reopen(house: &House) {
    if let Some(Err(error)) = house.log.as_ref().map(AuditLog::reopen) {
        say(&format!("the audit log goes on where it was: {error}"));
    }
    house.watch.reopen();
}

async fn replace(house: &Arc<House>, server: &Server) -> anyhow::Result<()> {
    let reader = Arc::clone(house);
    // To compile takes a thread for a while, which others are served by.
    let service = tokio::task::spawn_blocking(move || reader.service()).await??;
    let drop_denied = house.arguments.drop_denied;
    Ok(server.replace(service, drop_denied).await?)
}
