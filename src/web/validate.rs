//! Validators: every response that may be cached gets an `ETag`, and a client that has this version gets 304.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use sha2::{Digest as _, Sha256};
use tracing::error;

use crate::item::hex;

/// A larger response has no validator. No page comes near.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of the digest in a validator.
const DIGEST_BYTES: usize = 12;

/// Adds the validator of a response, or replaces the response by 304.
pub(super) async fn validate(request: Request, next: Next) -> Response {
    let is_get = request.method() == Method::GET;
    let known = request.headers().clone();
    let response = next.run(request).await;
    match is_get && may_be_cached(&response) {
        true => with_validator(response, &known).await,
        false => response,
    }
}

fn may_be_cached(response: &Response) -> bool {
    let cached = response.headers().get(header::CACHE_CONTROL);
    let cached = cached.and_then(|cached| cached.to_str().ok());
    response.status() == StatusCode::OK
        && cached.is_some_and(|cached| cached.starts_with("public"))
        && !response.headers().contains_key(header::ETAG)
}

async fn with_validator(response: Response, known: &HeaderMap) -> Response {
    let (mut parts, body) = response.into_parts();
    let body = match to_bytes(body, BODY_BYTES_MAX).await {
        Ok(body) => body,
        Err(fault) => {
            error!("a page is too large to be sent: {fault}");
            parts.status = StatusCode::INTERNAL_SERVER_ERROR;
            return Response::from_parts(parts, Body::empty());
        }
    };
    let digest = Sha256::digest(&body);
    let tag = format!("\"{}\"", hex(&digest[..DIGEST_BYTES]));
    let is_known = knows(known, &tag);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        parts.headers.insert(header::ETAG, tag);
    }
    if is_known {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_TYPE);
        parts.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(body))
}

/// Whether `If-None-Match` names a version. The comparison is weak, as RFC 9110 demands.
fn knows(headers: &HeaderMap, tag: &str) -> bool {
    let lines = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut named = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim);
    named.any(|named| named == "*" || named.strip_prefix("W/").unwrap_or(named) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_versions_is_compared_one_by_one() {
        let knows_it = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::IF_NONE_MATCH, line.parse().expect("a value"));
            }
            knows(&headers, "\"abc\"")
        };
        for good in [
            &["\"abc\""][..],
            &["W/\"abc\""],
            &["\"x\", \"abc\""],
            &["\"x\"", "\"abc\""],
            &["*"],
        ] {
            assert!(knows_it(good), "{good:?}");
        }
        for bad in [&[][..], &["abc"], &["\"ab\""], &["\"abcd\""], &["W/abc"]] {
            assert!(!knows_it(bad), "{bad:?}");
        }
    }
}
