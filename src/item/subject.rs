//! Subject lines: `[PATCH bpf-next v3 2/7] bpf: …` read into their parts.
