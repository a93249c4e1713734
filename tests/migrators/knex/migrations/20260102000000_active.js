exports.up = (knex) => knex.schema.alterTable("users", (table) => table.boolean("active").notNullable().defaultTo(true));

exports.down = (knex) => knex.schema.alterTable("users", (table) => table.dropColumn("active"));
