//! Who may read the tables of the live generation: rights, row policies and triggers that administrators added. They belong
//! to a table, and a swap brings other tables to its place.

use tokio_postgres::Transaction;

use crate::store::{QueryContext as _, StoreError};

/// The statements that give tables of the same names what these have now; `tables` are qualified. The names in them are
/// valid where the search path is `pg_catalog`.
pub(super) async fn statements(transaction: &Transaction<'_>, tables: &[String]) -> Result<Vec<String>, StoreError> {
    let rows = transaction.query(STATEMENTS, &[&tables]).await.context("read the rights on the live generation")?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Default privileges may have given the new tables rights that were withdrawn from the old ones, so all are withdrawn first.
const STATEMENTS: &str = "
WITH live AS (
    SELECT c.oid, c.oid::regclass AS name, c.relacl, c.relowner, c.relrowsecurity, c.relforcerowsecurity
    FROM unnest($1::text[]) AS t (name) JOIN pg_class c ON c.oid = t.name::regclass
), role AS (
    SELECT oid, quote_ident(rolname) AS name FROM pg_roles UNION ALL SELECT 0, 'PUBLIC'
), statement AS (
    SELECT 1 AS step, oid, format(
        'DO $do$ DECLARE grantee text; BEGIN FOR grantee IN SELECT DISTINCT CASE a.grantee WHEN 0 THEN ''PUBLIC'' '
        'ELSE quote_ident(pg_get_userbyid(a.grantee)) END FROM pg_class c, aclexplode(c.relacl) a '
        'WHERE c.oid = %L::regclass AND a.grantee <> c.relowner LOOP '
        'EXECUTE ''REVOKE ALL ON %s FROM '' || grantee; END LOOP; END $do$', name, name) AS text
    FROM live
    UNION ALL
    SELECT 2, live.oid, format('GRANT %s ON %s TO %s%s', a.privilege_type, live.name, role.name,
                               CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM live, aclexplode(live.relacl) a JOIN role ON role.oid = a.grantee
    WHERE a.grantee <> live.relowner
    UNION ALL
    SELECT 2, live.oid, format('GRANT %s (%I) ON %s TO %s%s', a.privilege_type, column_of.attname, live.name, role.name,
                               CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM live JOIN pg_attribute column_of ON column_of.attrelid = live.oid AND column_of.attacl IS NOT NULL,
         aclexplode(column_of.attacl) a JOIN role ON role.oid = a.grantee
    WHERE a.grantee <> live.relowner
    UNION ALL
    SELECT 3, live.oid, format('DROP POLICY IF EXISTS %I ON %s; CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s',
        p.polname, live.name, p.polname, live.name,
        CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
        CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
        (SELECT string_agg(role.name, ', ') FROM unnest(p.polroles) AS r (oid) JOIN role ON role.oid = r.oid),
        ' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')',
        ' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')')
    FROM live JOIN pg_policy p ON p.polrelid = live.oid
    UNION ALL
    SELECT 4, oid, format('ALTER TABLE %s %s ROW LEVEL SECURITY; ALTER TABLE %s %s ROW LEVEL SECURITY',
        name, CASE WHEN relrowsecurity THEN 'ENABLE' ELSE 'DISABLE' END,
        name, CASE WHEN relforcerowsecurity THEN 'FORCE' ELSE 'NO FORCE' END)
    FROM live
    UNION ALL
    SELECT 5, live.oid, format('DROP TRIGGER IF EXISTS %I ON %s; %s', t.tgname, live.name, pg_get_triggerdef(t.oid))
    FROM live JOIN pg_trigger t ON t.tgrelid = live.oid AND NOT t.tgisinternal
)
SELECT text FROM statement ORDER BY step, oid";
