"""Large responses, and marks in TEST_OUT of how far they are."""
import os
import signal

BLOCK = 10_000


def block(number):
    return (b'%08d.' % number).ljust(BLOCK - 1, b'x') + b'\n'


def mark(environ, name, text=''):
    with open(os.path.join(environ['TEST_OUT'], name), 'w') as file:
        file.write(text)


def generated(environ, count, at_end=lambda: None):
    try:
        for number in range(count):
            yield block(number)
        at_end()
        mark(environ, 'produced')
    finally:
        mark(environ, 'ended')


def large(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return generated(environ, int(environ['QUERY_STRING'].split('&')[0]))


def whole(environ, start_response):
    count = int(environ['QUERY_STRING'])
    start_response('200 OK', [('Content-Type', 'text/plain')])
    mark(environ, 'produced')
    return [b''.join(block(number) for number in range(count))]


def dies(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    die = lambda: os.kill(os.getpid(), signal.SIGKILL)
    return generated(environ, int(environ['QUERY_STRING']), die)


def quick(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'quick']


def application(environ, start_response):
    return globals()[environ['PATH_INFO'].strip('/')](environ, start_response)
