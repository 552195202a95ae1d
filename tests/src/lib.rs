//! Tools of the system tests. What is tested stands beside this folder, one binary each; nothing that ships is here.

pub mod box_site;
pub mod browser;
pub mod emulated_box;
pub mod gate;
pub mod house;
pub mod lan;
pub mod pjl_printer;
pub mod power_cuts;
pub mod programs;
pub mod proxy;
pub mod redirected_printer;
pub mod repository;
pub mod usb_guest;
pub mod usb_sim;
pub mod visitor;
pub mod wait;
pub mod wrong_networks;
