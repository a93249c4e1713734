import org.flywaydb.core.Flyway;

/** Flyway's `migrate` with the variables of its command line: FLYWAY_URL, FLYWAY_USER, FLYWAY_PASSWORD, FLYWAY_LOCATIONS. */
public class Migrate {
  public static void main(String[] arguments) {
    Flyway.configure().envVars().load().migrate();
  }
}
