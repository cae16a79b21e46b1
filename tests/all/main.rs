mod cli;
mod fetch;
mod rude;
mod sim;
