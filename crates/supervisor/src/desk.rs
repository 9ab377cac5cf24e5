//! Where questions come in: from httpd's children, who may ask what is going on, and from the
//! operator at the control socket, who may also give orders.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use wsgi_core::{control::decode, status::inquiry::Inquiry};
use wsgi_ipc::inquiries::{self, Asked};

use crate::event::{Poller, Token};

/// Operators at a time.
const MOST_CLIENTS: usize = 16;

/// The sockets that questions come from.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    children: Option<OwnedFd>,
    listener: Option<OwnedFd>,
    clients: Vec<(u64, OwnedFd)>,
    last_client: u64,
}

/// A question.
#[derive(Debug)]
pub(crate) struct Question {
    /// What is asked; the text says what is wrong with it.
    pub(crate) inquiry: Result<Inquiry, String>,
    /// Where the answer goes.
    pub(crate) asker: OwnedFd,
}

impl Desk {
    /// Takes the sockets that httpd's parent has passed: that of its children, and a control
    /// socket if it has one. Clients that are there stay.
    pub(crate) fn open(&mut self, sockets: Vec<OwnedFd>, poller: &Poller) -> io::Result<()> {
        for old in [self.children.take(), self.listener.take()].into_iter().flatten() {
            poller.remove(&old);
        }
        let mut sockets = sockets.into_iter();
        if let Some(children) = sockets.next() {
            poller.add(&children, Token::Inquiry)?;
            self.children = Some(children);
        }
        if let Some(listener) = sockets.next() {
            poller.add(&listener, Token::Control)?;
            self.listener = Some(listener);
        }
        Ok(())
    }

    /// A question of one of httpd's children.
    pub(crate) fn hear_child(&mut self, poller: &Poller) -> Option<Question> {
        let socket = self.children.as_ref()?;
        match inquiries::take(socket.as_fd()) {
            Asked::Question(bytes, asker) => {
                let inquiry = read(&bytes).and_then(|inquiry| match inquiry.is_order() {
                    true => Err("orders are taken at the control socket only".to_owned()),
                    false => Ok(inquiry),
                });
                Some(Question { inquiry, asker })
            }
            Asked::Nonsense => None,
            Asked::End => {
                poller.remove(socket);
                self.children = None;
                None
            }
        }
    }

    /// Somebody has come to the control socket; the error says who was sent away.
    pub(crate) fn accept(&mut self, poller: &Poller) -> io::Result<()> {
        let Some(listener) = &self.listener else { return Ok(()) };
        let client = inquiries::accept(listener.as_fd())?;
        if self.clients.len() < MOST_CLIENTS {
            self.last_client += 1;
            poller.add(&client, Token::Client(self.last_client))?;
            self.clients.push((self.last_client, client));
        }
        Ok(())
    }

    /// A question of an operator.
    pub(crate) fn hear_client(&mut self, id: u64, poller: &Poller) -> Option<Question> {
        let place = self.clients.iter().position(|(known, _)| *known == id)?;
        let (_, client) = self.clients.get(place)?;
        if let Asked::Question(bytes, asker) = inquiries::take(client.as_fd()) {
            return Some(Question { inquiry: read(&bytes), asker });
        }
        poller.remove(client);
        self.clients.swap_remove(place);
        None
    }
}

fn read(bytes: &[u8]) -> Result<Inquiry, String> {
    decode(bytes).map_err(|error| format!("no such question: {error}"))
}
