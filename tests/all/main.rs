#![recursion_limit = "256"]

mod attacks;
mod browser;
mod cli;
mod command;
mod deliver;
mod discord;
mod documents;
mod faulty;
mod fetch;
mod fold;
mod ingest;
mod issue;
mod mail;
mod mails;
#[cfg(feature = "matrix")]
mod matrix;
mod numbers;
mod posts;
mod real;
mod rude;
mod running;
mod samples;
mod setup;
mod sim;
mod tidy;
mod web;
mod webhook;
mod world;
