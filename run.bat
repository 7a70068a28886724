@echo off
rem The same as run.py, by the launcher that comes with Python for Windows.
where py >nul 2>nul
if %errorlevel%==0 (
    py -3 "%~dp0run.py" %*
) else (
    python "%~dp0run.py" %*
)
exit /b %errorlevel%
