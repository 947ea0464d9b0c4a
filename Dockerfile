# One image for page, worker and migration. The build needs no variables; each container needs SECRET_KEY,
# REDIS_URL and DATABASE_URL. compose.yaml starts all of it; deploy/kubernetes holds the manifests.
#   docker run … mqsite python manage.py migrate --noinput
#   docker run … -p 8000:8000 mqsite
#   docker run … mqsite python manage.py runworker --grace 8     (docker kills after 10 s)
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /app
COPY requirements.txt .
RUN pip install -r requirements.txt
COPY . .
# Bytecode, because the user of the containers cannot write it: without it, each start compiles all of the code.
RUN python manage.py collectstatic --noinput && python -m compileall -q manage.py mqsite jobs queueing

# A number, because Kubernetes cannot see that a name is not root (runAsNonRoot). The user owns no file:
# the containers run with a read-only root.
USER 65532:65532
ENV PORT=8000
EXPOSE 8000
CMD ["gunicorn", "--config", "python:mqsite.gunicorn", "mqsite.wsgi"]
