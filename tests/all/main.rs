mod documents;
mod fetch;
mod ingest;
mod rude;
mod samples;
mod sim;
mod tidy;
mod world;
