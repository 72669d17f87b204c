"""Who may log in to the demo town, as the login page shows. Never in production."""

from models.people import Role

# (login, password, name, role); the first three answer the lines, in the order of `jobs.demo_town.LINES`
DEMO_USERS = (
    ("tsapkova", "romny-5-32-73", "Цапкова О. П.", Role.ADMINISTRATOR.value),
    ("chernyavska", "romny-5-32-75", "Чернявська С. І.", Role.ADMINISTRATOR.value),
    ("sorokina", "romny-5-42-86", "Сорокіна В. В.", Role.ADMINISTRATOR.value),
    ("dyspetcher", "romny-dyspetcher", "Приходько Н. М.", Role.DISPATCHER.value),
    ("tekhnik", "romny-tekhnik", "Корнюшкін Ю. І.", Role.TECHNICAL_ADMINISTRATOR.value),
    ("nachalnyk", "romny-nachalnyk", "Захарченко Л. В.", Role.SUPERVISOR.value),
    ("vodokanal", "romny-vodokanal", "Бондаренко В. М.", Role.OPERATOR.value),
    ("kerivnyk", "romny-kerivnyk", "Литвиненко А. П.", Role.HEAD.value),
    ("luzan", "romny-luzan", "Лузан Є. С.", Role.CONTROL_BODY.value),
)
