// The address is relative, as those in docs.html are: the page also works below a proxy's path prefix.
const ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  defaultModelsExpandDepth: 0, // the schemas at the end, folded up
  tryItOutEnabled: true,
  persistAuthorization: false, // an API key stays in this tab's memory and ends with it
  requestSnippetsEnabled: false,
  validatorUrl: null, // would send the document's address to a foreign host
  responseInterceptor: fillIn,
});

// Ids that an answer shows stand in the forms of the operations that take one: each of them can be executed next.
const FORMS = {
  rec: [/^\/recordings\/{id}/, "id"],
  occ: [/{occurrence_id}/, "occurrence_id"],
  chn: [/^\/chains\/{id}/, "id"],
};

function fillIn(response) {
  const paths = ui.specSelectors.specJson().get("paths");
  const text = paths && response.ok && typeof response.text === "string" ? response.text : ""; // else a file
  for (const quoted of (text.match(/"(?:rec|occ|chn)_[0-9a-z]{26}"/g) || []).reverse()) { // the first one counts
    const id = quoted.slice(1, -1);
    const [path, name] = FORMS[id.slice(0, 3)];
    paths
      .filter((_, each) => path.test(each))
      .forEach((operations, each) =>
        operations.forEach((_, method) => ui.specActions.changeParam([each, method], name, "path", id)),
      );
  }
  return response;
}
