mod fetch;
mod mails;
mod real;
mod rude;
