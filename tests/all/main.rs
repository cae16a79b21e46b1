mod fetch;
mod rude;
mod sim;
