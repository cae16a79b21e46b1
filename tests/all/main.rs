mod cli;
mod fetch;
mod mails;
mod real;
mod rude;
mod sim;
