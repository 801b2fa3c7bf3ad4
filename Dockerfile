# VisionGen 3D as a container: the HTTP service by default, any command by naming it. See docs/deploy.md.
#
#   docker build -t visiongen:gpu .                        # PyTorch as pip gives it: with CUDA on Linux
#   docker build -t visiongen --build-arg TORCH=WHEEL .    # without: several gigabytes smaller
#
# WHEEL is the address of PyTorch's CPU wheel for Python 3.11, of the version in constraints.txt.

FROM python:3.11-slim-bookworm AS build
ARG TORCH=torch
WORKDIR /source
RUN python -m venv /opt/visiongen
ENV PATH=/opt/visiongen/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# PyTorch comes first and alone: it is the largest part, and changes least.
COPY constraints.txt ./
RUN pip install -c constraints.txt "$TORCH"
COPY pyproject.toml README.md LICENSE ./
COPY visiongen visiongen
COPY studio studio
COPY sample_media sample_media
RUN pip install -c constraints.txt .

FROM python:3.11-slim-bookworm
# What OpenCV and MediaPipe load from the system.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 libegl1 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/visiongen /opt/visiongen
ENV PATH=/opt/visiongen/bin:$PATH PYTHONUNBUFFERED=1 XDG_CONFIG_HOME=/data/settings HOME=/data
RUN useradd --uid 10001 --create-home --home-dir /data visiongen
USER visiongen
WORKDIR /data
VOLUME /data
EXPOSE 8400
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8400/health', timeout=4)"]
ENTRYPOINT ["visiongen"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8400", "--data", "/data"]
