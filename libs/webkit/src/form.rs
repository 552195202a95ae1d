//! Forms: read with a bound, checked for the session's token, taken apart with a message that helps.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Request},
    http::{StatusCode, header},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::{page::Problem, session::equal_secrets, site::Visit};

/// Most bytes of a form.
const LIMIT: usize = 256 << 10;
/// Time for a form to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// A form that this session's own page sent. `T` is a struct of the fields, or `Vec<(String, String)>` where fields repeat.
pub struct CheckedForm<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for CheckedForm<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let visit = Visit::from_request_parts(&mut parts, state).await?;
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if content_type.is_none_or(|value| !value.starts_with("application/x-www-form-urlencoded")) {
            return Err(not_a_form());
        }
        let bytes = read(body).await?;
        let mut fields: Vec<(String, String)> = serde_urlencoded::from_bytes(&bytes).map_err(|_| not_a_form())?;
        let sent = fields.iter().position(|(name, _)| name == "csrf").map(|place| fields.swap_remove(place).1);
        if let Some(session) = &visit.session
            && !sent.is_some_and(|sent| equal_secrets(&sent, &session.csrf))
        {
            return Err(out_of_date());
        }
        let fields = serde_urlencoded::to_string(&fields).map_err(|error| Problem::internal(error.into()))?;
        serde_urlencoded::from_str(&fields).map(Self).map_err(|error| bad_field(&error.to_string()))
    }
}

async fn read(body: Body) -> Result<Vec<u8>, Problem> {
    match timeout(PATIENCE, Limited::new(body, LIMIT).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes().to_vec()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            ["This form is too large", "Dieses Formular ist zu groß"],
            [
                "At most 256 KiB can be sent at once. Nothing was changed.",
                "Höchstens 256 KiB können auf einmal gesendet werden. Es wurde nichts geändert.",
            ],
        )),
        _ => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            ["This form did not arrive in full", "Dieses Formular kam nicht vollständig an"],
            [
                "Nothing was changed. Please send it again.",
                "Es wurde nichts geändert. Bitte senden Sie es noch einmal.",
            ],
        )),
    }
}

fn not_a_form() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ["This is not a form", "Das ist kein Formular"],
        [
            "Forms are taken as application/x-www-form-urlencoded, as browsers send them. Nothing was changed.",
            "Formulare werden als application/x-www-form-urlencoded angenommen, so wie Browser sie senden. Es wurde nichts \
             geändert.",
        ],
    )
}

/// A form whose token is not that of the session.
pub fn out_of_date() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        ["This form is out of date", "Dieses Formular ist nicht mehr gültig"],
        [
            "It was opened before you last logged in. Nothing was changed: go back, reload the page and send it again.",
            "Es wurde vor Ihrer letzten Anmeldung geöffnet. Es wurde nichts geändert: Gehen Sie zurück, laden Sie die Seite \
             neu und senden Sie es noch einmal.",
        ],
    )
}

fn bad_field(error: &str) -> Problem {
    let english = format!("The form cannot be read: {error}. Nothing was changed.");
    let german = format!("Das Formular ist nicht lesbar: {error}. Es wurde nichts geändert.");
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        ["A field is missing or wrong", "Ein Feld fehlt oder ist falsch"],
        [&english, &german],
    )
}
