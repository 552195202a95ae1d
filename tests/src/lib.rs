//! Tools of the system tests. What is tested stands beside this folder, one binary each; nothing that ships is here.

pub mod browser;
pub mod gate;
pub mod house;
pub mod lan;
pub mod programs;
pub mod proxy;
pub mod repository;
pub mod usb_guest;
pub mod usb_sim;
pub mod visitor;
pub mod wait;
pub mod wrong_networks;
