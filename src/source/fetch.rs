//! The only HTTP client of our own: validators, caps, Retry-After, one request in flight per host, address rules.
