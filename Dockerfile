# One image for all roles. Each needs SECRET_KEY, REDIS_URL and DATABASE_URL; the build needs none.
#   release: docker run … mqsite python manage.py migrate --noinput
#   web:     docker run … -p 8000:8000 mqsite
#   worker:  docker run … mqsite python manage.py runworker --grace 8     (docker kills after 10 s)
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /app
COPY requirements.txt .
RUN pip install -r requirements.txt
COPY . .
RUN python manage.py collectstatic --noinput && useradd --system --no-create-home mqsite

USER mqsite
ENV PORT=8000
EXPOSE 8000
CMD ["gunicorn", "--config", "python:mqsite.gunicorn", "mqsite.wsgi"]
