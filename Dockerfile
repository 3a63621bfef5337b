# docai as a service, from a checkout: docs/serve.md says how it is built and run.
FROM python:3.12-slim AS build
WORKDIR /checkout
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY docai docai
COPY models models
COPY parsers parsers
COPY pipelines pipelines
# PIP_EXTRA_INDEX_URL as a build argument can name an index with a torch for CPUs, which is far smaller.
ARG PIP_EXTRA_INDEX_URL
RUN python -m venv /opt/docai \
 && /opt/docai/bin/python -m pip install --no-cache-dir --constraint constraints.txt '.[exports,serve]'
# Tables in pictures are read without SLANet where its weights cannot be fetched.
ENV DOCAI_WEIGHTS=/opt/docai/weights
RUN mkdir -p "$DOCAI_WEIGHTS" && { /opt/docai/bin/docai models fetch slanet || true; }

FROM python:3.12-slim
# What OpenCV and the drawings of RDKit link to.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 libgomp1 libxext6 libxrender1 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin docai \
 && mkdir /documents
COPY --from=build /opt/docai /opt/docai
ENV PATH=/opt/docai/bin:$PATH DOCAI_WEIGHTS=/opt/docai/weights HOME=/tmp PYTHONDONTWRITEBYTECODE=1
USER docai
WORKDIR /tmp
EXPOSE 8765
HEALTHCHECK --start-period=60s CMD ["python", "-c", \
  "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8765/v1/health', timeout=5)"]
# The token of callers comes from the environment variable DOCAI_SERVE_TOKEN; without it this does not start.
CMD ["docai", "serve", "--host", "0.0.0.0", "--root", "/documents"]
