"""A Flask application with a page, a form, an upload, a stream, sessions and errors."""

import hashlib
import os
import time
from wsgiref.validate import validator

from flask import Flask, Response, abort, redirect, request, send_file, session, url_for

app = Flask(__name__)
app.secret_key = "only for tests"


@app.route("/")
def index():
    return f"index at {url_for('index')}, item at {url_for('item', number=7)}"


@app.route("/item/<int:number>")
def item(number):
    return {"number": number, "full": url_for("item", number=number, _external=True)}


@app.route("/form", methods=["GET", "POST"])
def form():
    return f"{request.method} {request.values.get('name', 'nobody')}"


@app.route("/upload", methods=["POST"])
def upload():
    data = request.files["file"].read()
    return f"{len(data)} {hashlib.sha256(data).hexdigest()}"


@app.route("/stream")
def stream():
    gate = os.path.join(request.environ["TEST_OUT"], "gate")

    def blocks():
        yield "first"
        while not os.path.exists(gate):
            time.sleep(0.005)
        yield "second"

    return Response(blocks(), mimetype="text/plain")


@app.route("/visit")
def visit():
    session["visits"] = session.get("visits", 0) + 1
    return f"visit {session['visits']}"


@app.route("/go")
def go():
    return redirect(url_for("index"))


@app.route("/file")
def file():
    return send_file(__file__, mimetype="text/x-python")


@app.route("/missing")
def missing():
    abort(404, "not in this application")


@app.route("/fails")
def fails():
    raise RuntimeError("a view fails")


application = app
validated = validator(app)
