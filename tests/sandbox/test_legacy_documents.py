"""The vendor's legacy documents, as printed, with ids filled in (the seeds; API reference, section 1)."""

from __future__ import annotations

from typing import Any

import pytest
from documents import NEW_ROW, dataset, ontology, project
from workspace import Workspace

from lbstack.sandbox.roles import BY_NAME

QUERIES = [
    "query getUserInfo { user{ id email role organization{ id name } projects{ id name } } }",
    'query byProjects { projects(where: {id_contains: "<PROJECT>"}) { members{ user{ email id role } } } }',
    'query GetDataRows { datasets (where: {id: "<DATASET>"}) { name id dataRows { id externalId } } }',
    """query GetDataRowsByProject { project (where: {id: "<PROJECT>"}) {
      datasets { dataRows (first: 100){ id rowData externalId } } } }""",
    """query GetDataset { dataset (where: {id: "<DATASET>"}) {
      name description projects { id } createdAt createdBy { id } rowCount } }""",
    "query GetAvailableRoles { roles ( first: 10 skip: 1 ){ name id permissions } }",
    'query getUserProjects { users ( where: {email:"admin@sandbox.example"}) { id projects { name id } } }',
    'query getOntology { project (where: {id: "<PROJECT>"}) { ontology { normalized } } }',
    """query connectableOntologies { project(where: { id: "<PROJECT>" }) {
      connectableOntologies { id name } } }""",
    'mutation AttachDataset{ updateProject( where:{ id:"<PROJECT>" }, data:{ datasets:{ connect:{ id: "<DATASET>" } } } ){ id } }',
    """mutation CreateDataset { createDataset (
      data: { name: "dataset name", projects: { connect: { id: "<PROJECT>" } } } ) { id } }""",
    """mutation UpdateDataset { updateDataset (
      where: { id: "<DATASET>" }, data: { name: "new name", description: "new description" } ) { id } }""",
    'mutation UpdateDataset { updateDataset ( where: { id: "<DATASET>" }, data: { deleted: true } ) { id } }',
    """mutation CreateDataRow { createDataRow( data: { externalId: "<EXTERNAL_ID>", rowData: "<ASSET_URL>",
      dataset: { connect: { id: "<DATASET>" } }, } ){ id } }""",
    """mutation ValidateDataset { validateDataset (where: {id: "<DATASET>"}){
      valid checks { name success } } }""",
    'mutation { createProject(data:{ name: "<PROJECT_NAME>" }){ id } }',
    """mutation MakeNewUserAdmin { addMembersToOrganization( data: {
      emails: ["sample1@email.com", "sample2@email.com"], orgRoleId: "cjlvi91a41aab0714677xp87h",
      projectRoles: [] } ) { newUserId existingUserEmail existingUserInviteSent } }""",
    """mutation RemoveMemberFromProject { setProjectMembership (data: { userId:"<MEMBER>"
      roleId: "cjmb6xy80f5vz0780u3mw2rj4" projectId:"<PROJECT>" }) { id } }""",
    'mutation cloneOntologyFromProject { project (where: {id: "<PROJECT>"}) { cloneOntology (ontologyId: "<ONTOLOGY>"){ id name } } }',
    'mutation connectOntologyToProject { project(where: {id: "<PROJECT>"}) { connectOntology(ontologyId: "<ONTOLOGY>"){ id name } } }',
    'mutation RenameOntology { ontology(where: { id: "<ONTOLOGY>" }) { update(data: { name: "<NEW_NAME>" }) { id name } } }',
    """mutation CreateWebhook { createWebhook(data:{ project:{ id:"<PROJECT>" },
      url:"https://a.example", secret:"example_secret",
      topics:{ set:[ LABEL_CREATED, LABEL_UPDATED, LABEL_DELETED ] } }){ id } }""",
    """mutation AppendRowsToDataset { appendRowsToDataset( data:{ datasetId:"<DATASET>",
      jsonFileUrl:"<URL_TO_JSON_FILE>" } ){ accepted } }""",
    """mutation UpdateDataRow { updateDataRow( where:{id: "<DATAROW>"} data:{
      externalId: "<NEW_FILENAME>", rowData: "<NEW_ASSET_URL>" } ){ id } }""",
    'mutation DeleteDataRows { deleteDataRows (where:{ dataRowIds: ["<DATAROW>"] }){ id deleted } }',
    """mutation addAssetInfo { createAssetMetadata( data: { dataRowId:"<DATAROW>",
      metaValue:"https://a.example/left_small.jpg?alt=media", metaType: IMAGE } ) { id } }""",
    'query getMetadataId { dataRow (where: {id: "<DATAROW>"}) { id metadata { id } } }',
    """mutation updateAssetInfo { updateAssetMetadata( where:{ id:"<METADATA>" }, data:{
      metaValue:"https://a.example/lorem-ipsum.txt", metaType: TEXT } ){ id } }""",
    'mutation removeAssetInfo { deleteAssetMetadata( where:{ id:"<METADATA>" } ){ id } }',
]


@pytest.mark.parametrize("document", QUERIES)
def test_a_printed_document_is_answered(box: Workspace, document: str) -> None:
    add = 'mutation { addMembersToOrganization(data: {emails: ["m@x.io"], orgRoleId: "%s"}) { newUserId } }'
    attach = (
        'mutation { createAssetMetadata(data: {dataRowId: "%s", metaValue: "x", metaType: TEXT}) { id } }'
    )
    row = box.ask(NEW_ROW, d=dataset(box), key=None)["id"]
    ids: dict[str, Any] = {
        "<PROJECT>": project(box),
        "<DATAROW>": row,
        "<METADATA>": box.ask(attach % row)["id"],
        "<URL_TO_JSON_FILE>": "https://a.example/rows.json",
        "<DATASET>": dataset(box),
        "<ONTOLOGY>": ontology(box, "a")["id"],
        "<MEMBER>": box.ask(add % BY_NAME["None"].id)[0]["newUserId"],
    }
    for mark, ident in ids.items():
        document = document.replace(mark, ident)
    assert box.ask(document) is not None
