//! Every message code with its meaning and what to do about it.

/// One code.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message {
    /// The number in `WSGInnnn`.
    pub(crate) code: u16,
    /// What has happened.
    pub(crate) meaning: &'static str,
    /// What the operator can do.
    pub(crate) remedy: &'static str,
}

/// All codes in order.
pub(crate) const MESSAGES: &[Message] = &[
    Message {
        code: 1,
        meaning: "Python could not be started in this httpd child; requests for embedded applications get 500.",
        remedy: "The text names the reason: usually WSGIPythonHome, or a library that is missing beside the module.",
    },
    Message {
        code: 3,
        meaning: "A daemon process could not make the directory of `chroot=` its root directory.",
        remedy: "The text names the reason; httpd must be started as root and with the right to change root directories (CAP_SYS_CHROOT).",
    },
    Message {
        code: 4,
        meaning: "A daemon process could not take the group id of its process group.",
        remedy: "Check `group=`; httpd must be started as root for it.",
    },
    Message {
        code: 5,
        meaning: "A daemon process could not take the supplementary groups of its process group.",
        remedy: "Check `supplementary-groups=` and the user's groups.",
    },
    Message {
        code: 7,
        meaning: "A daemon process could not change to the user of its process group.",
        remedy: "Check `user=`; httpd must be started as root for it.",
    },
    Message {
        code: 9,
        meaning: "A daemon process could not change to its home directory.",
        remedy: "Check that `home=` exists and that the group's user may enter it.",
    },
    Message {
        code: 10,
        meaning: "A daemon process could not change to the home directory of its user, where it starts without `home=`.",
        remedy: "Give the group a `home=` that exists and that its user may enter.",
    },
    Message {
        code: 22,
        meaning: "A worker thread of a daemon process could not be started.",
        remedy: "Too many threads or too little memory: lower `threads=`, or raise the limits of httpd's service.",
    },
    Message {
        code: 24,
        meaning: "The supervisor could not start a daemon process.",
        remedy: "The text names the reason, often a limit on processes or memory.",
    },
    Message {
        code: 25,
        meaning: "A daemon process failed between its start and its first line of Python.",
        remedy: "The text names the step. \"cannot run\" means that the program beside the module is missing or may not be executed by the group's user.",
    },
    Message {
        code: 28,
        meaning: "Python could not be started in a daemon process.",
        remedy: "Check `python-home=`: it must be a venv or an installation that the group's user can read.",
    },
    Message {
        code: 40,
        meaning: "A sub-interpreter for a script to be loaded at start could not be made.",
        remedy: "The lines that follow are Python's own; the application is loaded again by its first request.",
    },
    Message {
        code: 41,
        meaning: "`AuthBasicProvider wsgi` is in force where no WSGIAuthUserScript is; answered with 500.",
        remedy: "Name the script, or use another provider.",
    },
    Message {
        code: 42,
        meaning: "The interpreter of a user authentication script could not be made; nobody is let in.",
        remedy: "The reason is in the text.",
    },
    Message {
        code: 43,
        meaning: "A user authentication script has no function `check_password`; nobody is let in.",
        remedy: "Define it, or use digest authentication.",
    },
    Message {
        code: 44,
        meaning: "`AuthDigestProvider wsgi` is in force where no WSGIAuthUserScript is; answered with 500.",
        remedy: "Name the script, or use another provider.",
    },
    Message {
        code: 45,
        meaning: "The interpreter of a user authentication script could not be made; nobody is let in.",
        remedy: "The reason is in the text.",
    },
    Message {
        code: 46,
        meaning: "A user authentication script has no function `get_realm_hash`; nobody is let in.",
        remedy: "Define it, or use basic authentication.",
    },
    Message {
        code: 48,
        meaning: "The interpreter of a group script could not be made; answered with 500.",
        remedy: "The reason is in the text.",
    },
    Message {
        code: 50,
        meaning: "`groups_for_user` named a group by something that is neither str nor bytes; answered with 500.",
        remedy: "Correct the script.",
    },
    Message {
        code: 51,
        meaning: "`groups_for_user` returned something that is no iterable of names; answered with 500.",
        remedy: "Return a list of names, an empty one for no groups.",
    },
    Message {
        code: 52,
        meaning: "A group script has no function `groups_for_user`; answered with 500.",
        remedy: "Define it.",
    },
    Message {
        code: 54,
        meaning: "The interpreter of an access script could not be made; the client was refused.",
        remedy: "The reason is in the text.",
    },
    Message {
        code: 55,
        meaning: "`allow_access` returned neither a bool nor None; the client was refused.",
        remedy: "Correct the script.",
    },
    Message {
        code: 56,
        meaning: "An access script has no function `allow_access`; the client was refused.",
        remedy: "Define it.",
    },
    Message {
        code: 57,
        meaning: "An access script has refused a client.",
        remedy: "None, if that is what the script is for.",
    },
    Message {
        code: 58,
        meaning: "`Require wsgi-group` is in force where no WSGIAuthGroupScript is; answered with 500.",
        remedy: "Name the script.",
    },
    Message {
        code: 59,
        meaning: "A user is a member of no group, so that `Require wsgi-group` is not fulfilled.",
        remedy: "None, if that is what the script is for.",
    },
    Message {
        code: 60,
        meaning: "A user is a member of none of the groups that `Require wsgi-group` names.",
        remedy: "None, if that is what the script is for.",
    },
    Message {
        code: 61,
        meaning: "CoreDumpDirectory is set, but the system does not let a daemon process leave an image when it crashes.",
        remedy: "The text names the reason; the process runs all the same.",
    },
    Message {
        code: 62,
        meaning: "The system refuses the size of `send-buffer-size=`; the system's own is used.",
        remedy: "The text names the reason.",
    },
    Message {
        code: 63,
        meaning: "The system refuses the size of `receive-buffer-size=`; the system's own is used.",
        remedy: "The text names the reason.",
    },
    Message {
        code: 67,
        meaning: "Python's own handler of fatal signals cannot be installed.",
        remedy: "The traceback follows.",
    },
    Message {
        code: 68,
        meaning: "The thread of a daemon process that looks into Python cannot be started: overdue requests are not interrupted.",
        remedy: "The text names the error, often a limit on threads.",
    },
    Message {
        code: 75,
        meaning: "The nice value of `cpu-priority=` could not be set; the process runs with that of httpd.",
        remedy: "Only root may raise a priority: start httpd as root, or give a number above that of httpd.",
    },
    Message {
        code: 76,
        meaning: "The limit of `cpu-time-limit=` could not be set; the process runs without it.",
        remedy: "A limit that httpd itself runs under cannot be exceeded: raise that one, or lower this.",
    },
    Message {
        code: 77,
        meaning: "The limit of `memory-limit=` could not be set; the process runs without it.",
        remedy: "A limit that httpd itself runs under cannot be exceeded: raise that one, or lower this.",
    },
    Message {
        code: 78,
        meaning: "The limit of `virtual-memory-limit=` could not be set; the process runs without it.",
        remedy: "A limit that httpd itself runs under cannot be exceeded: raise that one, or lower this.",
    },
    Message {
        code: 79,
        meaning: "The locale of `locale=` does not exist here; the process runs without it.",
        remedy: "`locale -a` lists those that do.",
    },
    Message {
        code: 80,
        meaning: "A daemon process received something that is no request of this module.",
        remedy: "Two versions are mixed: install again and restart httpd.",
    },
    Message {
        code: 81,
        meaning: "The script lies outside of the directory of `chroot=`, where its group cannot see it; the request was answered with 500.",
        remedy: "Put the script below that directory, or use another group for it.",
    },
    Message {
        code: 83,
        meaning: "The script of a handler (WSGIHandlerScript) cannot be looked at; answered with 500.",
        remedy: "Check its path, and that httpd's user may read it.",
    },
    Message {
        code: 84,
        meaning: "A request waited longer than `queue-timeout=` for a free thread and was answered with 504.",
        remedy: "The group is too small or its application too slow: raise `processes=` or `threads=`.",
    },
    Message {
        code: 85,
        meaning: "The interpreter of a dispatch script could not be made; answered with 500.",
        remedy: "The reason is in the text.",
    },
    Message {
        code: 86,
        meaning: "A dispatch script has chosen a name that is not UTF-8; answered with 500.",
        remedy: "Return names in UTF-8 bytes or in ASCII.",
    },
    Message {
        code: 87,
        meaning: "The application group's interpreter could not be made.",
        remedy: "The reason is in the text; C extensions that do not know sub-interpreters need `application-group=%{GLOBAL}`.",
    },
    Message {
        code: 89,
        meaning: "The script has no callable of the name that is asked for; answered with 500.",
        remedy: "Define `application` in the script, or name the callable by WSGICallableObject.",
    },
    Message {
        code: 90,
        meaning: "SIGTERM cannot be made to end a service script.",
        remedy: "The traceback follows.",
    },
    Message {
        code: 94,
        meaning: "A directory of python-path (or WSGIPythonPath) could not be added to `sys.path`; the others are.",
        remedy: "The traceback follows; usually a `.pth` file in it cannot be read.",
    },
    Message {
        code: 97,
        meaning: "Waiting for Python's threads at the end of an interpreter raised an exception.",
        remedy: "Look at the traceback; it concerns the end of the process only.",
    },
    Message {
        code: 104,
        meaning: "The subscribers of an interpreter could not be told that the process ends.",
        remedy: "The text names the reason, usually too little memory.",
    },
    Message {
        code: 105,
        meaning: "The script could not be read or compiled for a request; answered with 500.",
        remedy: "The lines that follow are the error of the file system or Python's syntax error.",
    },
    Message {
        code: 106,
        meaning: "The script could not be read or compiled when the process started.",
        remedy: "As for WSGI0105; the next request for it tries again.",
    },
    Message {
        code: 107,
        meaning: "The script called `sys.exit` while it was loaded for a request; answered with 500.",
        remedy: "A script is no program: guard what ends the process by `if __name__ == \"__main__\"`.",
    },
    Message {
        code: 108,
        meaning: "The script called `sys.exit` while it was loaded at the start of the process.",
        remedy: "As for WSGI0107.",
    },
    Message {
        code: 109,
        meaning: "The script raised an exception while it was loaded for a request; answered with 500.",
        remedy: "The traceback follows. Missing modules are usually a matter of `python-home=` or `python-path=`.",
    },
    Message {
        code: 110,
        meaning: "The script raised an exception while it was loaded at the start of the process.",
        remedy: "As for WSGI0109; the next request for it tries again.",
    },
    Message {
        code: 112,
        meaning: "A function that has subscribed to an event raised an exception; the traceback follows. The next subscriber is called all the same.",
        remedy: "Repair the function.",
    },
    Message {
        code: 116,
        meaning: "The daemon group's queue stayed full for `connect-timeout=`; answered with 503.",
        remedy: "The group is too small or its application hangs: raise `processes=`, `threads=` or `listen-backlog=`.",
    },
    Message {
        code: 117,
        meaning: "A child of httpd could not connect to the daemon group; answered with 503.",
        remedy: "The text names the error. After a change of the configuration httpd must be restarted.",
    },
    Message {
        code: 119,
        meaning: "The daemon process ended, or stopped answering, in the middle of a response; the client sees it as incomplete.",
        remedy: "The text says how the process ended; the application's own traceback, if any, stands before it.",
    },
    Message {
        code: 120,
        meaning: "A client took nothing of its response for longer than a write may wait; the response is incomplete.",
        remedy: "Slow or broken clients are normal. The limit is `response-socket-timeout=`, else `socket-timeout=`, else the Timeout of httpd.",
    },
    Message {
        code: 124,
        meaning: "No process of the group took the request, however often it was offered; answered with 503.",
        remedy: "The group restarts over and over, or the script's time of change lies in the future.",
    },
    Message {
        code: 126,
        meaning: "The client did not send its request body in time; answered with 408.",
        remedy: "Raise `Timeout` or the limits of mod_reqtimeout if its connection is only slow.",
    },
    Message {
        code: 130,
        meaning: "An `atexit` function of the application raised an exception.",
        remedy: "The traceback follows.",
    },
    Message {
        code: 132,
        meaning: "Reports of WSGITelemetryService cannot be sent: nobody listens at the socket, or the process may not write to it. Logged once by a process, which goes on trying.",
        remedy: "Start the program that reads there, before httpd or after; its socket must be writable for the user of httpd's children and of each daemon group.",
    },
    Message {
        code: 133,
        meaning: "A process could not start the thread that sends the reports of WSGITelemetryService; it reports nothing.",
        remedy: "The text names the reason, mostly a limit of threads or memory.",
    },
    Message {
        code: 134,
        meaning: "The script is run by a handler, but `Options ExecCGI` is off there; answered with 403.",
        remedy: "Add `Options +ExecCGI`, or mount the script by WSGIScriptAlias.",
    },
    Message {
        code: 135,
        meaning: "There is no such script; answered with 404.",
        remedy: "Check the path in the text, and that httpd's user may enter all folders above it.",
    },
    Message {
        code: 136,
        meaning: "What should be a script is a directory; answered with 403.",
        remedy: "Let WSGIScriptAlias name the file.",
    },
    Message {
        code: 137,
        meaning: "There is more after the script's path in the URL, and `AcceptPathInfo Off` forbids that; answered with 404.",
        remedy: "Set `AcceptPathInfo On` for applications that have URLs of their own.",
    },
    Message {
        code: 138,
        meaning: "The request has a Transfer-Encoding other than chunked; answered with 501.",
        remedy: "Nothing; the client is at fault.",
    },
    Message {
        code: 139,
        meaning: "The request body is chunked, and that is not allowed here; answered with 411.",
        remedy: "Set `WSGIChunkedRequest On` if the application reads to the end of its input.",
    },
    Message {
        code: 141,
        meaning: "The Content-Length of the request is no number; answered with 400.",
        remedy: "Nothing; the client is at fault.",
    },
    Message {
        code: 143,
        meaning: "Embedded mode is switched off, and no process group is chosen; answered with 500.",
        remedy: "Add WSGIProcessGroup, or `process-group=` to WSGIScriptAlias.",
    },
    Message {
        code: 144,
        meaning: "A header of the application's response is longer than `header-buffer-size=` (32768 bytes unless given); answered with 500.",
        remedy: "Raise it if the header is meant to be so long: clients and proxies have limits as well.",
    },
    Message {
        code: 145,
        meaning: "The daemon process did not begin its answer within `socket-timeout=` (else `Timeout`); answered with 504.",
        remedy: "The application hangs or is slow; the request goes on in its process.",
    },
    Message {
        code: 146,
        meaning: "The daemon process ended before its answer; answered with 502 and not repeated.",
        remedy: "The text says how it ended: signal 11 is a crash in a C extension, signal 9 often the kernel out of memory, an exit code the application's own.",
    },
    Message {
        code: 147,
        meaning: "What the daemon process sent is no answer; answered with 502.",
        remedy: "Two versions are mixed: install again and restart httpd.",
    },
    Message {
        code: 149,
        meaning: "WSGIRestrictProcess does not name the process group that was chosen for the request; answered with 500.",
        remedy: "Correct what chooses the group (WSGIProcessGroup, an alias, a variable or a dispatch script), or add its name; `%{GLOBAL}` stands for embedded mode.",
    },
    Message {
        code: 150,
        meaning: "No daemon group of this name exists; answered with 500.",
        remedy: "Add WSGIDaemonProcess, or correct the name in WSGIProcessGroup.",
    },
    Message {
        code: 152,
        meaning: "The daemon group is defined in another virtual host; answered with 500.",
        remedy: "Define the group outside of virtual hosts, or give both hosts the same ServerName.",
    },
    Message {
        code: 153,
        meaning: "A script of a group with `script-group=` could not be looked at; the request was refused with 403.",
        remedy: "The text names the reason.",
    },
    Message {
        code: 155,
        meaning: "The script does not belong to the group of `script-group=`; the request was refused with 403.",
        remedy: "Give the file to that group, or correct the option.",
    },
    Message {
        code: 157,
        meaning: "Everybody may write to a script of a group with `script-group=`; the request was refused with 403.",
        remedy: "Take the right to write from others: `chmod o-w`.",
    },
    Message {
        code: 158,
        meaning: "The directory of a script of a group with `script-group=` could not be looked at; the request was refused with 403.",
        remedy: "httpd's user must be able to reach the directory; the text names the reason.",
    },
    Message {
        code: 160,
        meaning: "The script's directory does not belong to the group of `script-group=`; the request was refused with 403.",
        remedy: "Give the directory to that group, or correct the option.",
    },
    Message {
        code: 161,
        meaning: "Everybody may write to the directory of a script of a group with `script-group=`; the request was refused with 403.",
        remedy: "Take the right to write from others: `chmod o-w`.",
    },
    Message {
        code: 162,
        meaning: "A script of a group with `script-user=` could not be looked at; the request was refused with 403.",
        remedy: "The text names the reason.",
    },
    Message {
        code: 164,
        meaning: "The script does not belong to the user of `script-user=`; the request was refused with 403.",
        remedy: "Give the file to that user, or correct the option.",
    },
    Message {
        code: 166,
        meaning: "The group of a script of a group with `script-user=` may write to it; the request was refused with 403.",
        remedy: "Take the right to write from the file's group: `chmod g-w`.",
    },
    Message {
        code: 168,
        meaning: "Everybody may write to a script of a group with `script-user=`; the request was refused with 403.",
        remedy: "Take the right to write from others: `chmod o-w`.",
    },
    Message {
        code: 169,
        meaning: "The directory of a script of a group with `script-user=` could not be looked at; the request was refused with 403.",
        remedy: "httpd's user must be able to reach the directory; the text names the reason.",
    },
    Message {
        code: 171,
        meaning: "The script's directory does not belong to the user of `script-user=`; the request was refused with 403.",
        remedy: "Give the directory to that user, or correct the option.",
    },
    Message {
        code: 172,
        meaning: "Everybody may write to the directory of a script of a group with `script-user=`; the request was refused with 403.",
        remedy: "Take the right to write from others: `chmod o-w`.",
    },
    Message {
        code: 173,
        meaning: "The group of the directory of a script of a group with `script-user=` may write to it; the request was refused with 403.",
        remedy: "Take the right to write from the directory's group: `chmod g-w`.",
    },
    Message {
        code: 174,
        meaning: "The application raised an exception; answered with 500, or the answer was broken off.",
        remedy: "The traceback follows.",
    },
    Message {
        code: 175,
        meaning: "The application called `sys.exit`; the request ends as by an exception, the process lives on.",
        remedy: "The traceback follows.",
    },
    Message {
        code: 176,
        meaning: "`check_password` returned an empty user name, or one with a NUL; answered with 500.",
        remedy: "Correct the script.",
    },
    Message {
        code: 177,
        meaning: "`check_password` returned something that is no answer; answered with 500.",
        remedy: "Return True, False, None or the name of the user.",
    },
    Message {
        code: 178,
        meaning: "`get_realm_hash` returned an empty hash, or one with a NUL; answered with 500.",
        remedy: "Correct the script.",
    },
    Message {
        code: 179,
        meaning: "`get_realm_hash` returned something that is no answer; answered with 500.",
        remedy: "Return the hash as text, or None.",
    },
    Message {
        code: 190,
        meaning: "A function that has subscribed to an event has called `sys.exit()`, which has no effect there.",
        remedy: "Return from the function instead.",
    },
    Message {
        code: 194,
        meaning: "The object that the application returned fails when it is asked for its `close`.",
        remedy: "The traceback follows; the response itself was sent.",
    },
    Message {
        code: 198,
        meaning: "WSGIPerInterpreterGIL is On for a Python older than 3.12, which has one lock for all interpreters.",
        remedy: "Use a Python from 3.12 on for that group, or remove the directive.",
    },
    Message {
        code: 199,
        meaning: "WSGISwitchInterval was given for one application group whose interpreter shares its lock with others.",
        remedy: "Give the interpreter its own lock (WSGIPerInterpreterGIL), or set the interval for the whole process group.",
    },
    Message {
        code: 200,
        meaning: "WSGIFreeThreading is On for a Python that is not a free-threaded build.",
        remedy: "Use a free-threaded build of Python for that process group, or remove the directive.",
    },
    Message {
        code: 201,
        meaning: "WSGIFreeThreading stands in a block for one application group; it is for whole processes and ignored there.",
        remedy: "Give the block no `application-group=`.",
    },
    Message {
        code: 202,
        meaning: "WSGIPerInterpreterGIL is On in a process that runs without any interpreter lock.",
        remedy: "Nothing; remove one of the two directives to be rid of the record.",
    },
    Message {
        code: 203,
        meaning: "WSGISwitchInterval is set for a process that runs without any interpreter lock.",
        remedy: "Nothing; remove one of the two directives to be rid of the record.",
    },
    Message {
        code: 204,
        meaning: "`switch-interval=` is set for a process group that runs without any interpreter lock.",
        remedy: "Nothing; remove the option to be rid of the record.",
    },
    Message {
        code: 205,
        meaning: "WSGISwitchInterval in `<WSGIInterpreterOptions>` is set for a process that runs without any interpreter lock.",
        remedy: "Nothing; remove it to be rid of the record.",
    },
    Message {
        code: 207,
        meaning: "The thread that calls the subscribers of process events (signals, the end of the process) could not be started; they are not called.",
        remedy: "Too many threads or too little memory: raise the limits of httpd's service.",
    },
    Message {
        code: 209,
        meaning: "The subscribers of an interpreter could not be told of a signal.",
        remedy: "The text names the reason, usually too little memory.",
    },
    Message {
        code: 210,
        meaning: "Python has not been started in this child, so an embedded application cannot run; answered with 500.",
        remedy: "WSGI0001 earlier in the log says why.",
    },
    Message {
        code: 1001,
        meaning: "A bug of mod_wsgi_rs: an internal error was caught before it reached httpd.",
        remedy: "Please report it with the text and the lines around it.",
    },
    Message {
        code: 1002,
        meaning: "The supervisor died and is started again; requests in flight in daemon processes are finished or get 502.",
        remedy: "Its own last lines, before this one, say why.",
    },
    Message {
        code: 1003,
        meaning: "The supervisor could not be started again.",
        remedy: "The text names the reason. Until httpd is restarted the daemon groups are without supervision.",
    },
    Message {
        code: 1004,
        meaning: "httpd does not start: the configuration cannot work.",
        remedy: "The text names directive and reason; `httpd -t` repeats it.",
    },
    Message {
        code: 1005,
        meaning: "A bug of mod_wsgi_rs: something that cannot happen did; answered with 500.",
        remedy: "Please report it with the text.",
    },
    Message {
        code: 1006,
        meaning: "The request body is larger than LimitRequestBody; answered with 413.",
        remedy: "Raise the limit if such bodies are wanted.",
    },
    Message {
        code: 1007,
        meaning: "httpd refused the request body before the application ran.",
        remedy: "The status of the answer says why; nothing if the client is at fault.",
    },
    Message {
        code: 1008,
        meaning: "The daemon group's processes cannot start; answered with 503.",
        remedy: "The text and WSGI1211 name the reason.",
    },
    Message {
        code: 1011,
        meaning: "A request was for a group with `threads=0`, which runs service scripts only.",
        remedy: "Send the URL to another group (WSGIProcessGroup), or give the group threads.",
    },
    Message {
        code: 1020,
        meaning: "A bug of mod_wsgi_rs: an internal error was caught before it reached Python, which sees a RuntimeError.",
        remedy: "Please report it with the text and the traceback.",
    },
    Message {
        code: 1021,
        meaning: "`reload_required()` of the script raised an exception, which is taken as no.",
        remedy: "The traceback follows.",
    },
    Message {
        code: 1022,
        meaning: "The response could not be sent on.",
        remedy: "The text names the reason.",
    },
    Message {
        code: 1023,
        meaning: "The application produced more than the Content-Length it announced; the rest is dropped.",
        remedy: "Correct the application's Content-Length, or leave it out.",
    },
    Message {
        code: 1024,
        meaning: "The application produced less than the Content-Length it announced; the connection is closed, so that the client can tell.",
        remedy: "Correct the application's Content-Length, or leave it out.",
    },
    Message {
        code: 1025,
        meaning: "Looking for an installed package `mod_wsgi`, whose modules stay importable beside ours, raised an exception.",
        remedy: "Repair the import hook that the traceback names. Everything but `mod_wsgi.express` and the other modules of that package works.",
    },
    Message {
        code: 1026,
        meaning: "An extension module that a script imports is not made for several interpreters in one process.",
        remedy: "Give the application the main interpreter: `WSGIApplicationGroup %{GLOBAL}`, or `application-group=auto` on a daemon group that runs one application.",
    },
    Message {
        code: 1030,
        meaning: "httpd could not keep what a daemon process sends faster than the client reads; its thread waits for the client now.",
        remedy: "The text names the reason: a full or missing folder for temporary files (TMPDIR), or too few descriptors.",
    },
    Message {
        code: 1031,
        meaning: "httpd could not keep a request body until it was complete; answered with 507, the application was not called.",
        remedy: "The text names the reason: a full or missing folder for temporary files (TMPDIR), or too few descriptors. LimitRequestBody limits what clients may send.",
    },
    Message {
        code: 1032,
        meaning: "The file that an application named in X-Sendfile is not sent; answered with 404 if it is missing, otherwise with 500.",
        remedy: "The text names file and reason: it must be a regular file below a directory of WSGISendfileRoot, also after symbolic links, that the user of the process may read.",
    },
    Message {
        code: 1033,
        meaning: "A file that an application has handed over became shorter while httpd sent it: its client did not get all of it.",
        remedy: "Whoever replaces files should write a new one and rename it over the old one; the text names the file.",
    },
    Message {
        code: 1034,
        meaning: "httpd could not take over the file that a daemon process passed for a response; answered with 503, or cut short.",
        remedy: "The text names the reason: as a rule too few descriptors for an httpd child. Raise the limit (ulimit -n, LimitNOFILE=) or lower ThreadsPerChild.",
    },
    Message {
        code: 1040,
        meaning: "WSGITrustedProxyHeaders names a header that stands for nothing that could be replaced; the name has no effect.",
        remedy: "Correct the name: docs/directives.md lists the headers that can be trusted.",
    },
    Message {
        code: 1041,
        meaning: "The configuration has a directive that mod_wsgi no longer has; it has no effect.",
        remedy: "The text says what to write instead, if anything.",
    },
    Message {
        code: 1042,
        meaning: "A line names a process group that no WSGIDaemonProcess defines: requests get 500 (WSGI0150), a selector matches nothing.",
        remedy: "Correct the name, or add the WSGIDaemonProcess.",
    },
    Message {
        code: 1043,
        meaning: "A line in a virtual host names a process group of a virtual host with another ServerName: requests get 500 (WSGI0152).",
        remedy: "Define the group outside of virtual hosts, or give both hosts the same ServerName.",
    },
    Message {
        code: 1044,
        meaning: "A line sends requests to a process group with `threads=0`, which runs service scripts only: requests get 500 (WSGI1011).",
        remedy: "Name another group, or give that one threads.",
    },
    Message {
        code: 1045,
        meaning: "Options of a process group get in each other's way.",
        remedy: "The text says which one has no effect, and why.",
    },
    Message {
        code: 1046,
        meaning: "A provider of httpd asks a script for users or groups, and no line of the server names one: everybody is refused.",
        remedy: "Add WSGIAuthUserScript or WSGIAuthGroupScript to the section, unless .htaccess files have them.",
    },
    Message {
        code: 1050,
        meaning: "An httpd child could not start the thread that answers `mod_wsgi.server_metrics()` of daemon processes.",
        remedy: "The text names the reason. Other children answer; where none does, the function returns `None`.",
    },
    Message {
        code: 1051,
        meaning: "Somebody on another machine has asked for the page of wsgi-status, whose section has no Require.",
        remedy: "Add a Require beside every `SetHandler wsgi-status` that says who may see it (docs/status.md).",
    },
    Message {
        code: 1201,
        meaning: "A daemon process could not accept a connection.",
        remedy: "The text names the error, often a limit on descriptors.",
    },
    Message {
        code: 1202,
        meaning: "A bug of mod_wsgi_rs: an internal error ended a request in a daemon process.",
        remedy: "WSGI1204 beside it has the text; please report it.",
    },
    Message {
        code: 1203,
        meaning: "A daemon process could not wait for its supervisor's messages.",
        remedy: "The text names the error.",
    },
    Message {
        code: 1204,
        meaning: "A bug of mod_wsgi_rs: an internal error in a daemon process.",
        remedy: "Please report it with the text.",
    },
    Message {
        code: 1210,
        meaning: "A process that still finishes requests was killed to make room for its replacement.",
        remedy: "The group was restarted several times within the life of one request; lower `shutdown-timeout=` or wait longer between.",
    },
    Message {
        code: 1211,
        meaning: "No process of the group can be started; its requests get 503 until an attempt succeeds.",
        remedy: "The text names the reason of the last failure.",
    },
    Message {
        code: 1212,
        meaning: "The supervisor did not understand the configuration from httpd.",
        remedy: "Two versions are mixed: install again and restart httpd.",
    },
    Message {
        code: 1213,
        meaning: "A bug of mod_wsgi_rs: an internal error in the supervisor.",
        remedy: "Please report it with the text.",
    },
    Message {
        code: 1214,
        meaning: "The supervisor cannot go on; httpd starts another.",
        remedy: "The text names the error.",
    },
    Message {
        code: 1215,
        meaning: "With `reload=rolling`: changed code did not load; the processes go on with what they have loaded.",
        remedy: "The traceback before it says why. Correct the file: the next change is tried again.",
    },
    Message {
        code: 1216,
        meaning: "A daemon process is larger than `memory-soft-limit=` as soon as it is ready.",
        remedy: "Raise the limit: a process is replaced only for what it has grown.",
    },
    Message {
        code: 1217,
        meaning: "The supervisor cannot start the thread that looks at the files of `reload-on=`.",
        remedy: "See why the system refuses a thread (limits on processes, memory); then restart httpd.",
    },
    Message {
        code: 1218,
        meaning: "Somebody who is neither root nor the user that has started httpd has connected to the control socket, or could not be accepted there.",
        remedy: "Commands that talk to a running server must be run by one of them.",
    },
    Message {
        code: 1220,
        meaning: "A request has taken longer than `request-timeout=` allows; its Python stack says what it is doing.",
        remedy: "Look at the stack. With `interrupt-timeout=` the request is interrupted.",
    },
    Message {
        code: 1221,
        meaning: "A request did not end within `request-timeout=` and `interrupt-timeout=`: its thread is given up, and the process is replaced.",
        remedy: "WSGI1220 before it has the stack; give whatever the application waits for a time limit.",
    },
    Message {
        code: 1222,
        meaning: "No thread could get the interpreter lock for `deadlock-timeout=` seconds; the process is replaced.",
        remedy: "The stacks that follow show who holds it: code in C that waits without releasing the lock.",
    },
    Message {
        code: 1223,
        meaning: "No application has been loaded within `startup-timeout=`; the process is replaced.",
        remedy: "Look for the exception of the script, or for what its import waits for.",
    },
    Message {
        code: 1224,
        meaning: "A daemon process is about to die of a signal; the requests in progress and the Python stacks of all threads follow.",
        remedy: "A bug in a C extension, as a rule: the stack of the thread that is named shows where.",
    },
    Message {
        code: 1225,
        meaning: "All threads of the group have been busy for longer than a second; written once a minute at most.",
        remedy: "More `threads=` or `processes=`, or look into the URL that takes so long.",
    },
];
