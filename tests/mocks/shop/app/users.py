"""Users, by asyncpg: the connection is handed over."""


class UserService:
    def __init__(self, db):
        self.db = db

    async def create_user(self, email, name="New"):
        return await self.db.fetchval("INSERT INTO users (email, name) VALUES ($1, $2) RETURNING id", email, name)

    async def register(self, email, name):
        existing = await self.db.fetchrow("SELECT id FROM users WHERE email = $1", email)
        if existing:
            raise ValueError("taken")
        await self.db.execute("INSERT INTO users (email, name) VALUES ($1, $2)", email, name)

    async def get_user(self, user_id):
        return await self.db.fetchrow("SELECT id, email, name FROM users WHERE id = $1", user_id)

    async def find(self, email):
        row = await self.db.fetchrow("SELECT * FROM users WHERE email = $1", email)
        return dict(row) if row else None

    async def active(self):
        rows = await self.db.fetch("SELECT id, name FROM users WHERE is_active = true ORDER BY id")
        return [row["name"] for row in rows]

    async def rename(self, user_id, name):
        result = await self.db.execute("UPDATE users SET name = $2 WHERE id = $1", user_id, name)
        return result == "UPDATE 1"

    async def remove(self, user_id):
        result = await self.db.execute("DELETE FROM users WHERE id = $1", user_id)
        return result.endswith("1")

    async def count(self):
        return await self.db.fetchval("SELECT count(*) FROM users")

    async def exists(self, email):
        return await self.db.fetchval("SELECT EXISTS(SELECT 1 FROM users WHERE email = $1)", email)
