// The address is relative, as those in docs.html are: the page also works below a proxy's path prefix.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  defaultModelsExpandDepth: 0, // the schemas at the end, folded up
  tryItOutEnabled: true,
  persistAuthorization: false, // an API key stays in this tab's memory and ends with it
  requestSnippetsEnabled: false,
  validatorUrl: null, // would send the document's address to a foreign host
});
