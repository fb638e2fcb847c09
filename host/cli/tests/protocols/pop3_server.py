"""Twisted's POP3 server, for one user whose messages are the files of a folder.

    pop3_server.py PORT FOLDER USER PASSWORD
"""

import pathlib
import sys

from twisted.cred import checkers, portal
from twisted.internet import endpoints, protocol, reactor
from twisted.mail import pop3

port, folder, user, password = sys.argv[1:]


class Mailbox(pop3.Mailbox):
    files = sorted(pathlib.Path(folder).iterdir())

    def listMessages(self, index=None):
        sizes = [file.stat().st_size for file in self.files]
        return sizes if index is None else sizes[index]

    def getMessage(self, index):
        return self.files[index].open("rb")


class Realm:
    def requestAvatar(self, avatar, mind, *interfaces):
        return pop3.IMailbox, Mailbox(), lambda: None


class Server(protocol.Factory):
    def buildProtocol(self, address):
        server = pop3.POP3()
        server.portal = portal.Portal(Realm(), [users])
        return server


users = checkers.InMemoryUsernamePasswordDatabaseDontUse()
users.addUser(user.encode(), password.encode())
endpoints.serverFromString(reactor, f"tcp:{port}:interface=127.0.0.1").listen(Server())
reactor.run()
