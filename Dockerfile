# Encke in a container:
#
#   docker build -t encke .
#   docker run -p 8080:8080 -v encke-data:/data encke
#
# The first start fetches the weights of the embedded model into the volume and prints a key, once; with
# -e ENCKE_BOOTSTRAP_KEY=sk-… it uses yours instead. Providers' keys are variables too: -e OPENAI_API_KEY=…
# Settings: mount a file and name it with -e ENCKE_CONFIG=/etc/encke.toml.
FROM python:3.12-slim AS build
WORKDIR /build
COPY requirements-local.lock requirements-build.lock pyproject.toml README.md LICENSE ./
RUN python -m venv /opt/encke \
    && /opt/encke/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
        --require-hashes --only-binary :all: -r requirements-build.lock -r requirements-local.lock
COPY src src
RUN /opt/encke/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
        --no-index --no-deps --no-build-isolation . \
    && /opt/encke/bin/python -m pip uninstall --yes flit_core

FROM python:3.12-slim
# The engine's threads come from OpenMP, which the slim image lacks.
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /home/encke encke \
    && install --directory --owner encke --group encke --mode 0700 /data
COPY --from=build /opt/encke /opt/encke
ENV PATH=/opt/encke/bin:$PATH ENCKE_DATA=/data ENCKE_LISTEN=0.0.0.0:8080
USER encke
WORKDIR /home/encke
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s CMD ["python", "-c", \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
# SIGTERM drains: open calls may finish within server.grace (30 s), so stop with --stop-timeout 45 or more.
STOPSIGNAL SIGTERM
CMD ["encke", "serve"]
