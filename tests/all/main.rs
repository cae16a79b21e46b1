mod documents;
mod fetch;
mod ingest;
mod rude;
mod samples;
mod tidy;
mod world;
