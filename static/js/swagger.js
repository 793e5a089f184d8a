// Swagger UI on /api/docs, from the copy that comes along. It validates nowhere else and fetches only our own description.
const place = document.querySelector("[data-swagger-ui]");
window.SwaggerUIBundle({ domNode: place, url: place.dataset.url, validatorUrl: null, deepLinking: true });
