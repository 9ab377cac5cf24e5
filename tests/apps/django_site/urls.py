"""Addresses and views of the site."""

import hashlib
import os
import time

from django.contrib import admin
from django.core.files.storage import default_storage
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path, reverse
from django.views.decorators.csrf import csrf_exempt


def index(request):
    return JsonResponse({"index": reverse("index"), "admin": reverse("admin:index")})


@csrf_exempt
def upload(request):
    uploaded = request.FILES["file"]
    hashed = hashlib.sha256()
    for block in uploaded.chunks():
        hashed.update(block)
    name = default_storage.save("uploaded.bin", uploaded)
    return HttpResponse(f"{uploaded.size} {hashed.hexdigest()} {default_storage.url(name)}")


def protected(request):
    return HttpResponse(f"{request.method}")


def stream(request):
    gate = os.path.join(request.environ["TEST_OUT"], "gate")

    def blocks():
        yield b"first"
        while not os.path.exists(gate):
            time.sleep(0.005)
        yield b"second"

    return StreamingHttpResponse(blocks(), content_type="text/plain")


def file(request):
    return FileResponse(open(__file__, "rb"), content_type="text/x-python")


def fails(request):
    raise RuntimeError("a view fails")


urlpatterns = [
    path("", index, name="index"),
    path("admin/", admin.site.urls),
    path("upload", upload),
    path("protected", protected),
    path("stream", stream),
    path("file", file),
    path("fails", fails),
]
