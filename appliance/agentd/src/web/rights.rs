//! Who may do what. There is one user, the administrator, who may do everything; what one day not everybody may do asks here.

use axum::http::StatusCode;
use webkit::login::ADMINISTRATOR;
use webkit::page::Problem;
use webkit::site::Visit;

/// Whether the visitor may change how the box is attached to its network.
pub(super) fn may_change_network(visit: &Visit) -> Result<(), Problem> {
    if visit.user() == ADMINISTRATOR {
        return Ok(());
    }
    log::warn!("{} may not change the network and tried to", visit.user());
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        ["You may not change the network", "Sie dürfen das Netzwerk nicht ändern"],
        ["Please ask the administrator of this box.", "Bitte wenden Sie sich an den Administrator dieses Geräts."],
    ))
}
