// The local Swagger UI, at the address that its page names.
const place = document.querySelector("[data-swagger-ui]");
window.SwaggerUIBundle({ domNode: place, url: place.dataset.url, deepLinking: true, validatorUrl: null });
