mod fetch;
mod rude;
