"""Every document that the vendor printed in its legacy guides is answered as printed (API reference, section 1).

Only what the guides leave to the reader (``<PROJECT_ID>`` and the like) is filled in. Each answer must bear
exactly the fields that the document selects.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from documents import ATTACH, NEW_LABEL, NEW_ROW, connect, dataset, ontology, project
from graphql import FieldNode, OperationDefinitionNode, SelectionSetNode, parse
from test_upload import upload
from workspace import Workspace

from lbstack.sandbox import aws
from lbstack.sandbox.roles import BY_NAME

ROLE_ARN = "arn:aws:iam::123456789012:role/labelbox"

# -- Users, roles, members ------------------------------------------------------------------------

PEOPLE = [
    "query getUserInfo { user{ id email role organization{ id name } projects{ id name } } }",
    """query byProjects($project_id: ID!) { projects(where: {id_contains: $project_id}) {
      members{ user{ email id role } } } }""",
    """mutation AddUserToProject { addUserToProject ( data: {
      email: "<USER_EMAIL>", projectId: "<PROJECT_ID>", roleId: "<ROLE-ID>" } ) {
      user { email } project { name } role { name } } }""",
    """mutation MakeNewUserAdmin { addMembersToOrganization( data: {
      emails: ["sample1@email.com", "sample2@email.com"], orgRoleId: "cjlvi91a41aab0714677xp87h",
      projectRoles: [] } ) { newUserId existingUserEmail existingUserInviteSent } }""",
    "query GetAvailableRoles { roles ( first: 10 skip: 1 ){ name id permissions } }",
    'query getUserProjects { users ( where: {email:"<USER-EMAIL>"}) { id projects { name id } } }',
    """mutation RemoveMemberFromProject { setProjectMembership (data: {
      userId:"<USER_ID>" roleId: "cjmb6xy80f5vz0780u3mw2rj4" projectId:"<PROJECT_ID>" }) { id } }""",
    "query MyProjects { user { projects { id name } } }",
    "query GetAProjectFromOrganization { projects { id name } }",
]

# -- Annotation counts, attachments, imports ------------------------------------------------------

ATTACHMENTS = [
    """query GetAnnotationCount { annotationCounts (
      where: {startDate: "2021-02-08", endDate: "2021-02-09"}, orderBy: CREATION_DATE_ASC){
      image video text creationDate updateTime } }""",
    """mutation addAssetInfo { createAssetMetadata( data: { dataRowId:"<DATAROW-ID>",
      metaValue:"https://storage.example/left.jpg?alt=media&token=66e84e55", metaType: IMAGE } ) { id } }""",
    'query getMetadataId { dataRow (where: {id: "<DATAROW_ID>"}) { id metadata { id } } }',
    """mutation updateAssetInfo { updateAssetMetadata( where:{ id:"<METADATA-ID>" },
      data:{ metaValue:"https://storage.example/lorem-ipsum.txt", metaType: TEXT } ){ id } }""",
    'mutation removeAssetInfo { deleteAssetMetadata( where:{ id:"<METADATA-ID>" } ){ id } }',
]
IMPORTS = [
    """mutation { createBulkImportRequest(data: { projectId: "<PROJECT_ID>", name: "import_job_2",
      fileUrl: "<NDJSON_URL>" }) { id } }""",
    """query { bulkImportRequest(where: { projectId: "<PROJECT_ID>", name: "import_job_1" }) {
      state statusFileUrl errorFileUrl } }""",
    """query ListAllImportRequests { bulkImportRequests ( where: { projectId:"<PROJECT_ID>" }
      skip: 0 first: 100 ) { id name } }""",
    'mutation DeleteBulkImportRequest { deleteBulkImportRequest(where: {id: "<IMPORT_REQUEST_ID>"}) { id name } }',
]

# -- Data rows and datasets -----------------------------------------------------------------------

DATA = [
    """mutation AppendRowsToDataset { appendRowsToDataset( data:{ datasetId:"<DATASET_ID>",
      jsonFileUrl:"<URL_TO_JSON_FILE>" } ){ accepted } }""",
    """mutation CreateDataRow { createDataRow( data: { externalId: "<EXTERNAL_ID>", rowData: "<ASSET_URL>",
      dataset: { connect: { id: "<DATASET_ID>" } }, } ){ id } }""",
    """mutation CreateDataRowFromAPI( $rowData: String!, $datasetId: ID! ) { createDataRow(data:{
      rowData: $rowData, dataset:{ connect:{ id: $datasetId } } }){ id } }""",
    'query GetDataRows { datasets (where: {id: "<DATASET_ID>"}) { name id dataRows { id externalId } } }',
    """query GetDataRowsByProject { project (where: {id: "<PROJECT_ID>"}) { datasets {
      dataRows (first: 100){ id rowData externalId } } } }""",
    """mutation UpdateDataRow { updateDataRow( where:{id: "<DATAROW_ID>"} data:{
      externalId: "<NEW_FILENAME>", rowData: "<NEW_ASSET_URL>" } ){ id } }""",
    'mutation DeleteDataRows { deleteDataRows (where:{ dataRowIds: ["<DATAROW_ID>"] }){ id deleted } }',
    """mutation CreateDataset { createDataset ( data: { name: "dataset name", projects: { connect: {
      id: "<PROJECT_ID>" } } } ) { id } }""",
    """mutation AttachDataset{ updateProject( where:{ id:"<PROJECT_ID>" }, data:{ datasets:{ connect:{
      id: "<DATASET_ID>" } } } ){ id } }""",
    """query GetDataset { dataset (where: {id: "<DATASET_ID>"}) { name description projects { id } createdAt
      createdBy { id } rowCount } }""",
    """mutation UpdateDataset { updateDataset ( where: { id: "<DATASET_ID>" }, data: {
      name: "new name", description: "new description" } ) { id } }""",
    'mutation UpdateDataset { updateDataset ( where: { id: "<DATASET_ID>" }, data: { deleted: true } ) { id } }',
]

# -- Integrations ---------------------------------------------------------------------------------

INTEGRATIONS = [
    """mutation CreateIntegration { createAwsIamIntegration(data: { name: "AWS IAM Integration"
      roleArn: "arn:aws:iam::<AWS_ACCOUNT_ID>:role/<ROLE_NAME>" }) { id } }""",
    """mutation CheckIntegration { validateIamIntegration (where: {id: "<INTEGRATION_ID>"}){
      valid checks { name success } } }""",
    """mutation UpdateIntegration { updateAwsIamIntegration( data: {
      roleArn: "arn:aws:iam::<AWS_ACCOUNT_ID>:role/<ROLE_NAME>" name: "<NEW_INTEGRATION_NAME>" },
      where: { id: "<INTEGRATION_ID>" }) { id } }""",
    """mutation SetSignerForDataset { setSignerForDataset( data: { signerId: "<INTEGRATION_ID>" },
      where: { id: "<DATASET_ID>" }) { id signer { id } } }""",
    """mutation ValidateDataset { validateDataset (where: {id: "<DATASET_ID>"}){
      valid checks { name success } } }""",
]

# -- Labeling parameters and labels ---------------------------------------------------------------

LABELS = [
    """mutation SetLabelingParameterOverrides { project(where: { id: "<PROJECT_ID>" }) {
      setLabelingParameterOverrides(data: [ { dataRow: { id: "<DATAROW_ID>" }, priority: 1, numLabels: 2 },
      { dataRow: { id: "<DATAROW_ID>" }, priority: 2, numLabels: 3 } ]) { success } } }""",
    """query PullLabelingParameters { project(where:{id:"<PROJECT_ID>"}){
      labelingParameterOverrides{ id priority } } }""",
    """mutation UnsetLabelingParameterOverrides { project(where: { id: "<PROJECT_ID>" }) {
      unsetLabelingParameterOverrides(data: [ { dataRowId: "<DATAROW_ID>" }, { dataRowId: "<DATAROW_ID>" } ]) {
      success } } }""",
    """mutation UnsetAllParameterOverrides { project(where: {id: "<PROJECT_ID>"}) {
      unsetAllLabelingParameterOverrides { success deletedCount } } }""",
    'query getLabelById { label(where: {id: "<LABEL_ID>"}) { label } }',
    """query getLabelsFromProject { projects (where: {id: "<PROJECT_ID>"}) { id name labels (first: 10) {
      id createdBy { email } label } } }""",
    """query APIGetPageOfLabels { project (where:{id: "<PROJECT_ID>"}) { labels (first: 5){ id label
      createdBy { id email } type { id name } secondsToLabel agreement dataRow { id rowData } } } }""",
    """query APIGetPageOfLabels($projectId: ID!, $skip: Int!, $first: PageSize!) {
      project(where:{id: $projectId}) { labels(skip: $skip, first: $first){ id label createdBy{ id email }
      type { id name } secondsToLabel agreement dataRow { id rowData } } } }""",
    """query APIGetPageOfLabels{ project(where:{id: "<PROJECT_ID>"}) { labels( first: 5, where: {
      createdBy:{id:"<USER_ID>"}, createdAt_lt:"2018-04-24T22:09:21.753Z",
      createdAt_gt:"2018-04-01T22:09:21.753Z", type:{id:"TYPE_ID"}, # Skipped vs Submitted
      agreement_gt:0, agreement_lt:0.5, dataRow:{ dataset:{ id:"<DATASET_ID>" } } } ){ id label } } }""",
    """mutation BulkExportLabels { exportLabels (data:{ projectId: "<PROJECT_ID>" }){
      downloadUrl createdAt shouldPoll } }""",
    """mutation GetExportUrl($project_id: ID!){ exportLabels(data:{ projectId: $project_id }){
      downloadUrl createdAt shouldPoll } }""",
    'mutation DeleteLabels { deleteLabels ( labelIds:["<LABEL_ID>"] ){ id deleted } }',
    """mutation BulkDeleteLabels ( $projectId: ID!, $makeTemplates: Boolean = true,
      $labelsWhere: WhereBulkLabelDelete, $first: PageSize, $skip: Int ) { project (where: {id: $projectId}) {
      bulkDeleteLabels ( where: $labelsWhere, makeTemplates: $makeTemplates, waitForQueue: true,
      first: $first, skip: $skip ) { count } } }""",
]

# -- Ontologies, projects, review, webhooks -------------------------------------------------------

PROJECTS = [
    'query getOntology { project (where: {id: "<PROJECT_ID>"}) { ontology { normalized } } }',
    """mutation cloneOntologyFromProject { project (where: {id: "<PROJECT_ID>"}) {
      cloneOntology (ontologyId: "<TARGET_ONTOLOGY_ID>"){ id name } } }""",
    'query connectableOntologies { project(where: { id: "<PROJECT_ID>" }) { connectableOntologies { id name } } }',
    """mutation connectOntologyToProject { project(where: {id: "<PROJECT_ID>"}) {
      connectOntology(ontologyId: "<TARGET_ONTOLOGY_ID>"){ id name } } }""",
    """mutation RenameOntology { ontology(where: { id: "<TARGET_ONTOLOGY_ID>" }) {
      update(data: { name: "<NEW_NAME>" }) { id name } } }""",
    'mutation { createProject(data:{ name: "<PROJECT_NAME>" }){ id } }',
    """mutation UpsertReviewQueue( $projectId: ID!, $quotaFactor: Float!) { upsertReviewQueue(
      where: { project: { id: $projectId } }, data: {quotaFactor: $quotaFactor}) { id } }""",
    """mutation DeleteReviewQueue($projectId: ID!) { deleteReviewQueue(where: { project: { id: $projectId } }) {
      id } }""",
    """mutation CreateWebhook { createWebhook(data:{ project:{ id:"<PROJECT_ID>" }, url:"<HTTP_URL>",
      secret:"example_secret", topics:{ set:[ LABEL_CREATED, LABEL_UPDATED, LABEL_DELETED ] } }){ id } }""",
    'mutation UpdateWebhook { updateWebhook(where:{ id:"<WEBHOOK_ID>" }, data:{ url:"<PRODUCTION_URL>" }){ id } }',
    'mutation RemoveWebhook { updateWebhook( data:{ status: INACTIVE } where:{ id:"<WEBHOOK_ID>" } ){ id } }',
]

DOCUMENTS = [*PEOPLE, *ATTACHMENTS, *IMPORTS, *DATA, *INTEGRATIONS, *LABELS, *PROJECTS]


class Desk:
    """A workspace with one of everything that the documents name."""

    def __init__(self, box: Workspace) -> None:
        self.box = box
        p, d, o = project(box), dataset(box), ontology(box, "damage")["id"]
        box.ask(ATTACH, p=p, d=d)
        row = box.ask(NEW_ROW, d=d)["id"]
        label = box.ask(NEW_LABEL, p=p, r=row, label=json.dumps({"damage": "yes"}))["id"]
        add = (
            'mutation { addMembersToOrganization(data: {emails: ["m@x.io"], orgRoleId: "%s"}) { newUserId } }'
        )
        rows = [{"externalId": "a", "imageUrl": "https://a.example/2.jpg"}]
        self.ids = {
            "<PROJECT_ID>": p, "<DATASET_ID>": d, "<TARGET_ONTOLOGY_ID>": o, "<DATAROW_ID>": row,
            "<DATAROW-ID>": row, "<LABEL_ID>": label, "<USER_EMAIL>": "m@x.io", "<USER-EMAIL>": "m@x.io",
            "<USER_ID>": box.ask(add % BY_NAME["None"].id)[0]["newUserId"], "<ROLE-ID>": BY_NAME["Labeler"].id,
            "<AWS_ACCOUNT_ID>": "123456789012", "<ROLE_NAME>": "labelbox",
            "<URL_TO_JSON_FILE>": self.file(rows, "rows.json"), "<NDJSON_URL>": self.file({}, "a.ndjson"),
            "<HTTP_URL>": "https://a.example/hook", "<PRODUCTION_URL>": "https://a.example/real",
        }  # fmt: skip
        self.ids["<INTEGRATION_ID>"] = self.integration()
        self.make("<METADATA-ID>", ATTACHMENTS[1])
        self.make("<IMPORT_REQUEST_ID>", IMPORTS[0].replace("import_job_2", "import_job_1"))
        self.make("<WEBHOOK_ID>", PROJECTS[8])
        self.variables = {
            "project_id": p, "projectId": p, "datasetId": d, "rowData": "https://a.example/3.jpg",
            "quotaFactor": 0.5, "skip": 0, "first": 5,
        }  # fmt: skip
        box.ask(PROJECTS[6], projectId=p, quotaFactor=0.1)
        connect(box, p, o)

    def file(self, content: Any, name: str) -> str:
        sent = upload(self.box, (name, json.dumps(content).encode(), "application/json"))
        return str(sent["data"]["uploadFile"]["url"])

    def integration(self) -> str:
        ident = str(self.box.ask(self.filled(INTEGRATIONS[0]))["id"])
        aws.put_role(self.box.store.conn, ROLE_ARN, external_id=ident)
        check = "mutation ($id: ID!) { validateIamIntegration(where: {id: $id}) { valid } }"
        assert self.box.ask(check, id=ident) == {"valid": True}
        return ident

    def make(self, mark: str, document: str) -> None:
        self.ids[mark] = str(self.box.ask(self.filled(document))["id"])

    def filled(self, document: str) -> str:
        for mark, value in self.ids.items():
            document = document.replace(mark, value)
        return document


def fits(selection: SelectionSetNode | None, value: Any) -> bool:
    """Whether an answer bears exactly the fields that were selected, at every depth."""
    if selection is None or value is None:
        return True
    if isinstance(value, list):
        return all(fits(selection, item) for item in value)
    fields = {node.name.value: node for node in selection.selections if isinstance(node, FieldNode)}
    return set(value) == set(fields) and all(fits(fields[k].selection_set, v) for k, v in value.items())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda text: " ".join(text.split())[:60])
def test_a_printed_document_is_answered_with_the_fields_it_prints(box: Workspace, document: str) -> None:
    desk = Desk(box)
    text = desk.filled(document)
    (operation,) = parse(text).definitions
    assert isinstance(operation, OperationDefinitionNode)
    names = {each.variable.name.value for each in operation.variable_definitions or ()}
    variables = {name: value for name, value in desk.variables.items() if name in names}
    (root,) = operation.selection_set.selections
    assert isinstance(root, FieldNode)
    answer = box.ask(text, **variables)
    assert answer is not None
    assert fits(root.selection_set, answer)


def test_the_rename_of_an_ontology_takes_the_id_of_the_ontology(box: Workspace) -> None:
    """The guide's placeholder says project; the vendor's later page says ontology (API reference 1.4)."""
    desk = Desk(box)
    wrong = PROJECTS[4].replace("<TARGET_ONTOLOGY_ID>", desk.ids["<PROJECT_ID>"])
    assert box.refused(wrong)[0] == "RESOURCE_NOT_FOUND"
